"""Reading with PyAV: demux once, seek to the keyframe before each wanted frame, check every frame.

Frames that no other frame needs are not decoded unless wanted, which halves the work on H.264.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace

import av
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from glore_video.choices import Damaged
from glore_video.errors import UsageError

from .decoder_messages import listening
from .decoding import PacketDecoder, decode_in_order
from .errors import VideoError
from .frame_times import FrameTimes
from .indexing import decoded_survey, survey
from .looks import may_have_fields
from .orientation import Orientation
from .pictures import Pictures
from .pyav_file import fraction, open_container, reason
from .reader import Take, VideoReader
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
        self._pictures = Pictures(path)
        self._lenient = False  # whether the container was opened so
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
            self._pictures = Pictures(path, (index.height, index.width), index.orientation)
        self.time_base = fraction(stream.time_base or 1)  # of the times in survey.packets, seconds
        self.stream_index = stream.index
        self.video_streams = len(self._container.streams.video)
        self.num_frames = self.survey.num_frames
        self.fps = self.survey.fps

    @property
    def times(self) -> FrameTimes:
        return self.survey.times.first(self.num_frames)

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
        return self._pictures.orientation == Orientation()

    @property
    def interlaced(self) -> bool:
        """Whether frames may be made of two fields: what is known beforehand, or the first one is."""
        stream = self._open_container(lenient=self._lenient).streams.best("video")
        assert isinstance(stream, VideoStream)
        known = may_have_fields(stream)
        if known is not None:
            return known
        if self._pictures.interlaced is None:
            self._decode([0], lambda number, picture: None)
        return bool(self._pictures.interlaced)

    def _size(self) -> tuple[int, int]:
        # Only a decoded frame tells its rotation.
        if self._pictures.shape is None:
            self._decode([0], lambda number, picture: None)
        assert self._pictures.shape is not None
        return self._pictures.shape

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open_container(self, *, lenient: bool) -> InputContainer:
        if self._container is None:
            raise UsageError(f"{self.path}: the reader is closed")
        if lenient != self._lenient:
            self._container.close()
            self._container, self._lenient = open_container(self.path, lenient=lenient)[0], lenient
        return self._container

    def _decode(self, wanted: list[int], take: Take) -> None:
        self._open_container(lenient=self._lenient)
        if self.survey.packets.exact and (
            self._decode_by_seeking(wanted, take, lenient=self._lenient)
            or self._decode_by_seeking(wanted, take, lenient=not self._lenient)
        ):
            return
        self._open_container(lenient=False)
        if self._decode_from_start(wanted, take):
            return
        known = self.num_frames
        self._count_by_decoding()
        if wanted[-1] >= self.num_frames:
            raise VideoError(self.path, f"only {self.num_frames} of {known} frames can be decoded")
        self._decode(wanted, take)

    def _count_by_decoding(self) -> None:
        """The packets are not the frames after all: from now on frames are counted as they come."""
        packets = replace(self.survey.packets, exact=False)
        self.survey = decoded_survey(self.path, replace(self.survey, packets=packets))
        self.num_frames, self.fps = self.survey.num_frames, self.survey.fps
        if self.survey.damage and self._damaged == "error":
            raise VideoError(self.path, self.survey.damage)

    def _decode_by_seeking(self, wanted: list[int], take: Take, *, lenient: bool) -> bool:
        """Hand on the frames; False if something along the way was not as the index says."""
        self._open_container(lenient=lenient)
        packets = self.survey.packets
        by_keyframe: dict[int, list[int]] = {}
        for number in wanted:
            by_keyframe.setdefault(packets.keyframe_before(number), []).append(number)
        for keyframe, numbers in by_keyframe.items():
            starts = [keyframe]
            if packets.open_gop:  # what a decoder lacks there it has if it begins earlier
                starts += packets.keyframes[: packets.keyframes.index(keyframe)][-1:]
            if not any(self._decode_group(start, numbers, take) for start in starts):
                return False
        return True

    def _decode_group(self, start: int, numbers: list[int], take: Take) -> bool:
        """Hand on the frames that are shown from a keyframe on; begin to decode at `start`."""
        missing = {self.survey.packets.pts[number]: number for number in numbers}
        with listening() as told, suppress(av.error.FFmpegError):
            for frame in self._frames_from(start, frozenset(missing), told):
                if frame.pts == start and frame.pict_type != PictureType.I:
                    return False  # the container's mark is wrong
                if frame.pts not in missing:
                    continue
                if frame.is_corrupt:
                    return False
                number = missing.pop(frame.pts)
                self._pictures.put(frame, number, take)
                if not missing:
                    return True
        return False

    def _frames_from(
        self, start: int, wanted: frozenset[int], told: list[tuple[int, str, str]]
    ) -> Iterator[VideoFrame]:
        """Decode from the keyframe at `start`; what does not lead to wanted frames is left out.

        told: where to listen to the decoder.
        """
        container = self._open_container(lenient=self._lenient)
        stream = container.streams.best("video")
        assert isinstance(stream, VideoStream)
        container.seek(start, stream=stream)
        context = stream.codec_context
        context.skip_frame = "DEFAULT"
        decoder = PacketDecoder(stream, lenient=self._lenient)
        decoder.told = told
        droppable, dropping = self.survey.codec in _DROPPABLE, False
        to_come = len(wanted)
        first = True
        for packet in container.demux(stream):
            if packet.is_corrupt:
                continue
            if first and (not packet.is_keyframe or packet.pts is None or packet.pts > start):
                return
            first = False
            needed = packet.pts in wanted
            if droppable and dropping == needed:
                # Takes effect on this packet because the decoder has one thread.
                context.skip_frame = "DEFAULT" if needed else "NONREF"
                dropping = not needed
            yield from decoder.decode(packet)
            to_come -= needed
            if not to_come and not self.survey.packets.open_gop:
                # What the decoder holds back for later frames comes out now; where an open GOP
                # begins, H.264 decoders would leave some of it out.
                yield from context.decode(None)
                return

    def _decode_from_start(self, wanted: list[int], take: Take) -> bool:
        """Hand on the frames, by counting; False if they are not those that the packets tell."""
        packets = self.survey.packets
        missing = set(wanted)
        count = 0
        cause = ""
        try:
            with closing(decode_in_order(self.path)) as frames:
                for frame in frames:
                    if packets.exact and packets.pts[count : count + 1] != (frame.pts,):
                        return False
                    if count in missing:
                        self._pictures.put(frame, count, take)
                        missing.remove(count)
                    count += 1
                    if not missing:
                        return True
            if packets.exact:
                return False
        except av.error.FFmpegError as error:
            cause = f": {reason(error)}"
        known = self.num_frames
        if self._damaged == "use_prefix" and 0 < count < known:
            self.num_frames = count
        raise VideoError(self.path, f"only {count} of {known} frames can be decoded{cause}")
