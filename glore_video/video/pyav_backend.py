"""Reading with PyAV: demux once, seek to the keyframe before each wanted frame, check every frame.

Frames that no other frame needs are not decoded unless wanted, which halves the work on H.264.
"""

import av
import numpy as np
import torch
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor

from .errors import VideoError
from .indexing import survey
from .orientation import Orientation
from .pyav_file import open_container, reason
from .reader import Damaged, VideoReader
from .video_index import Survey, VideoIndex

# Codecs on which leaving out frames that none refers to was shown to change no other frame.
_DROPPABLE = {"h264"}


class PyavReader(VideoReader):
    """See VideoReader, and open_video for the arguments.

    Raises VideoError if the file holds no video that can be read.
    """

    def __init__(
        self, path: str, *, index: VideoIndex | None = None, damaged: Damaged = "error"
    ) -> None:
        self.path = path
        self._damaged = damaged
        self._shape: tuple[int, int] | None = None  # height, width
        self._orientation = Orientation()
        self._to_rgb = VideoReformatter()
        self._container: InputContainer | None
        self._container, stream = open_container(path)
        try:
            self.survey: Survey = index or survey(path, self._container, stream)
            if self.survey.damage and damaged == "error":
                raise VideoError(
                    path, f"{self.survey.damage}; {self.survey.num_frames} frames are whole"
                )
        except BaseException:
            self.close()
            raise
        if index is not None:
            self._shape = (index.height, index.width)
            self._orientation = index.orientation
        self.num_frames = self.survey.num_frames
        self.fps = self.survey.fps

    @property
    def height(self) -> int:
        return self._size()[0]

    @property
    def width(self) -> int:
        return self._size()[1]

    @property
    def upright(self) -> bool:
        """Whether frames are shown as they are stored."""
        self._size()
        return self._orientation == Orientation()

    def _size(self) -> tuple[int, int]:
        # Only a decoded frame tells its rotation.
        if self._shape is None:
            self._decode([0])
        assert self._shape is not None
        return self._shape

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _reopen(self) -> VideoStream:
        self.close()
        self._container, stream = open_container(self.path)
        return stream

    def _open_container(self) -> InputContainer:
        if self._container is None:
            raise ValueError(f"{self.path}: the reader is closed")
        return self._container

    def _decode(self, wanted: list[int]) -> Tensor:
        self._open_container()
        out: dict[int, np.ndarray] = {}
        if not (self.survey.packets.exact and self._decode_by_seeking(wanted, out)):
            out.clear()
            self._decode_from_start(wanted, out)
        return torch.from_numpy(np.stack([out[number] for number in wanted]))

    def _decode_by_seeking(self, wanted: list[int], out: dict[int, np.ndarray]) -> bool:
        """Fill out; False if something along the way was not as the index says."""
        by_keyframe: dict[int, list[int]] = {}
        for number in wanted:
            by_keyframe.setdefault(self.survey.packets.keyframe_before(number), []).append(number)
        container = self._open_container()
        stream = container.streams.best("video")
        assert isinstance(stream, VideoStream)
        try:
            for keyframe, numbers in by_keyframe.items():
                container.seek(keyframe, stream=stream)
                if not self._decode_group(container, stream, keyframe, numbers, out):
                    return False
        except av.error.FFmpegError:
            return False
        return True

    def _decode_group(
        self,
        container: InputContainer,
        stream: VideoStream,
        keyframe: int,
        numbers: list[int],
        out: dict[int, np.ndarray],
    ) -> bool:
        """Decode frames that share a keyframe, from where the container was sought to."""
        decoder = stream.codec_context
        missing = {self.survey.packets.pts[number]: number for number in numbers}
        wanted_pts = frozenset(missing)
        first = True
        for packet in container.demux(stream):
            if packet.is_corrupt:
                continue
            if first:
                if not packet.is_keyframe or packet.pts is None or packet.pts > keyframe:
                    return False
                first = False
            if self.survey.codec in _DROPPABLE:
                # Takes effect on this packet because the decoder has one thread.
                needed = packet.size == 0 or packet.pts in wanted_pts
                decoder.skip_frame = "DEFAULT" if needed else "NONREF"
            for frame in packet.decode():
                if frame.pts not in missing:
                    continue
                if frame.is_corrupt:
                    return False
                number = missing.pop(frame.pts)
                out[number] = self._rgb(frame, number)
            if not missing:
                return True
        return False

    def _decode_from_start(self, wanted: list[int], out: dict[int, np.ndarray]) -> None:
        """Fill out by counting frames."""
        stream = self._reopen()
        missing = set(wanted)
        count = 0
        cause = ""
        try:
            for packet in self._open_container().demux(stream):
                for frame in packet.decode():
                    if count in missing:
                        out[count] = self._rgb(frame, count)
                        missing.remove(count)
                    count += 1
                if not missing:
                    return
        except av.error.FFmpegError as error:
            cause = f": {reason(error)}"
        known = self.num_frames
        if self._damaged == "use_prefix" and 0 < count < known:
            self.num_frames = count
        raise VideoError(self.path, f"only {count} of {known} frames can be decoded{cause}")

    def _rgb(self, frame: VideoFrame, number: int) -> np.ndarray:
        """uint8 (height, width, 3)."""
        orientation = Orientation.of(frame)
        turned = orientation.apply(self._to_rgb.reformat(frame, format="rgb24").to_ndarray())
        if self._shape is None:
            self._orientation = orientation
            self._shape = (turned.shape[0], turned.shape[1])
        elif self._shape != turned.shape[:2]:
            raise VideoError(
                self.path,
                f"frame {number} has {turned.shape[1]}x{turned.shape[0]} pixels, earlier ones "
                f"{self._shape[1]}x{self._shape[0]}",
            )
        return turned
