"""Reading with PyAV: demux once, seek to the keyframe before each wanted frame, check every frame.

Frames that no other frame needs are not decoded unless wanted, which halves the work on H.264.
"""

from fractions import Fraction

import av
import numpy as np
import torch
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor

from .errors import VideoError
from .orientation import Orientation
from .packet_index import PacketIndex, read_packet_index
from .reader import VideoReader

# Codecs on which leaving out frames that none refers to was shown to change no other frame.
_DROPPABLE = {"h264"}


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class PyavReader(VideoReader):
    """See VideoReader. Raises VideoError if the file holds no video that can be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._container: InputContainer | None = None
        self._shape: tuple[int, int] | None = None  # height, width
        self._orientation = Orientation()
        self._to_rgb = VideoReformatter()
        stream = self._reopen()
        try:
            self.codec: str = stream.codec_context.name
            self.pixel_format: str | None = stream.codec_context.pix_fmt
            self.index: PacketIndex = read_packet_index(self._open_container(), stream)
            self.fps = self._frame_rate(stream)
            # The last use of this stream: counting opens the file anew.
            self.num_frames = len(self.index.pts) if self.index.exact else self._count_frames()
        except BaseException:
            self.close()
            raise

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

    def _open_container(self) -> InputContainer:
        if self._container is None:
            raise ValueError(f"{self.path}: the reader is closed")
        return self._container

    def _reopen(self) -> VideoStream:
        """Open the file at its start; the video stream, with a fresh decoder."""
        self.close()
        try:
            # "file:" keeps FFmpeg from taking "a:b.mp4" for a protocol a.
            container = av.open(f"file:{self.path}", metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(self.path, f"can't be opened as video: {_reason(error)}") from None
        self._container = container
        try:
            stream = container.streams.best("video")
            if stream is None or stream.disposition & Disposition.attached_pic:
                raise VideoError(self.path, "has no video stream")
            if not isinstance(stream, VideoStream) or stream.codec_context is None:
                raise VideoError(self.path, "no decoder for its video stream")
            stream.codec_context.thread_count = 1  # more gain nothing beside worker processes
        except BaseException:
            self.close()
            raise
        return stream

    def _frame_rate(self, stream: VideoStream) -> Fraction:
        rate = stream.average_rate or stream.guessed_rate
        if rate:
            return Fraction(rate)
        pts = self.index.pts
        if len(pts) > 1 and pts[-1] > pts[0] and stream.time_base:
            return Fraction(len(pts) - 1, pts[-1] - pts[0]) / stream.time_base
        raise VideoError(self.path, "has no frame rate")

    def _count_frames(self) -> int:
        """Decode all; what the last packets of a cut-off file lack does not count."""
        stream = self._reopen()
        count = 0
        failure: BaseException | None = None
        packets = self._open_container().demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                failure = failure or error
                break
            if packet is None:
                break
            if failure is not None and packet.size:
                raise VideoError(
                    self.path, f"decoding failed after {count} frames: {_reason(failure)}"
                )
            try:
                count += len(packet.decode())
            except av.error.FFmpegError as error:
                failure = error
        if count == 0:
            cause = f": {_reason(failure)}" if failure else ""
            raise VideoError(self.path, f"no frame can be decoded{cause}")
        return count

    def _decode(self, wanted: list[int]) -> Tensor:
        self._open_container()
        out: dict[int, np.ndarray] = {}
        if not (self.index.exact and self._decode_by_seeking(wanted, out)):
            out.clear()
            self._decode_from_start(wanted, out)
        return torch.from_numpy(np.stack([out[number] for number in wanted]))

    def _decode_by_seeking(self, wanted: list[int], out: dict[int, np.ndarray]) -> bool:
        """Fill out; False if something along the way was not as the index says."""
        by_keyframe: dict[int, list[int]] = {}
        for number in wanted:
            by_keyframe.setdefault(self.index.keyframe_before(number), []).append(number)
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
        missing = {self.index.pts[number]: number for number in numbers}
        wanted_pts = frozenset(missing)
        first = True
        for packet in container.demux(stream):
            if packet.is_corrupt:
                continue
            if first:
                if not packet.is_keyframe or packet.pts is None or packet.pts > keyframe:
                    return False
                first = False
            if self.codec in _DROPPABLE:
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
            cause = f": {_reason(error)}"
        raise VideoError(
            self.path, f"only {count} of {self.num_frames} frames can be decoded{cause}"
        )

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
