"""Decoding packets in order: what counts as damage, and what is passed over because it harms no frame."""

import re
from collections.abc import Generator, Iterator

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .coded_pictures import CLEAN
from .decoder_messages import listening
from .looks import hole_finder, look_for
from .pyav_file import open_container

# What FFmpeg's decoders say of what no picture is made of: SEI messages, delimiters, filler and
# unspecified units, packets that hold nothing else.
_BESIDE_PICTURES = re.compile(
    r"\bSEI\b|^no frame!|^Skipping invalid undecodable NALU: (3[5-9]|[4-6]\d)$"
)
# A picture is to be forgotten that came before the place where decoding began.
_BEFORE_THE_START = re.compile(r"^mmco: unref short failure")
# The missing part of a picture was painted over; this alone is no error to the decoder.
_PAINTED_OVER = re.compile(r"^concealing \d+ DC")


class PacketDecoder:
    """Decodes the packets of a stream in order. Raises FFmpegError at damage.

    A strict one, of a stream that was opened so, takes all that is not as it should be for damage,
    though some of that harms no picture. A lenient one goes on where the decoder speaks of nothing
    else.

    Packets before the first keyframe may fail in either, and so may those that are shown before a
    keyframe where decoding began, or was begun anew by an edit list that hides them: they need what
    came before it.

    Attributes:
        told: what decoders say comes here while packets are decoded: give it the list of listening().
    """

    def __init__(self, stream: VideoStream, *, lenient: bool = False) -> None:
        self.told: list[tuple[int, str, str]] = []
        self._lenient = lenient
        self._look = look_for(stream) if lenient else None
        self._has_hole = hole_finder(stream)
        self._begun = self._begun_anew = False
        self._start: int | None = None  # time of the keyframe where decoding began
        self._newest: int | None = None  # latest time of a packet
        self._start_is_open = False  # pictures from before the start are spoken of
        self._spoilt: set[int] = set()  # times of packets that failed as they may

    def decode(self, packet: Packet) -> list[VideoFrame]:
        """Frames that come out of the decoder now."""
        time = packet.pts
        if packet.is_keyframe:
            self._note_keyframe(packet)
        if time is not None and (self._newest is None or time > self._newest):
            self._newest = time
        if self._has_hole is not None and self._has_hole(bytes(packet)):
            self._judge(packet, _invalid_data())
            return []
        self.told.clear()  # of what was said since, the colours' conversion say
        frames: list[VideoFrame] = []
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            self._judge(packet, error)
        else:
            if self.told:
                self._judge(packet, None)
        if self._spoilt:
            return [frame for frame in frames if frame.pts not in self._spoilt]
        return frames

    def _judge(self, packet: Packet, error: av.error.FFmpegError | None) -> None:
        """Raise the error, or one, if this packet should have been decoded and was not."""
        messages = [(level, text.strip()) for level, _, text in self.told]
        self.told.clear()
        painted = any(_PAINTED_OVER.match(text) for _, text in messages)
        harm = painted or any(
            level <= av.logging.WARNING and not self._is_harmless(text) for level, text in messages
        )
        if self._lenient and messages and not harm:
            return
        if error is None:
            if not (harm if self._lenient else painted):
                return
            error = _invalid_data()
        if not self._may_fail(packet):
            raise error
        if packet.pts is not None:
            self._spoilt.add(packet.pts)

    def _note_keyframe(self, packet: Packet) -> None:
        self._start_is_open = False
        if not self._begun or (
            packet.pts is not None and self._newest is not None and packet.pts <= self._newest
        ):
            self._start, self._begun_anew = packet.pts, self._begun
            if self._look is not None:
                self._start_is_open = not self._look(bytes(packet), True) & CLEAN
        self._begun = True

    def _may_fail(self, packet: Packet) -> bool:
        if not self._begun:
            return True
        if self._start is None or packet.pts is None:
            return False
        return packet.pts < self._start and (packet.is_discard or not self._begun_anew)

    def _is_harmless(self, message: str) -> bool:
        if _BESIDE_PICTURES.search(message):
            return True
        return self._start_is_open and _BEFORE_THE_START.match(message) is not None


def _invalid_data() -> av.error.FFmpegError:
    """The error that decoders raise at damage."""
    code = av.error.tag_to_code(b"INDA")
    return av.error.InvalidDataError(code, "Invalid data found when processing input")


def decode_in_order(path: str, *, cut_off: bool = False) -> Generator[VideoFrame, None, None]:
    """All frames of a file, until the first one that is damaged. Close the iterator.

    Where a strict decoder fails, a lenient one begins anew and goes on from there, as far as all is
    whole. Raises FFmpegError there, VideoError if the file can't be opened. Of a file that is cut off,
    frames that the decoder still holds at the end are left out: those between them may be missing.
    """
    times: list[int | None] = []
    try:
        for frame in _decode_once(path, cut_off, lenient=False):
            times.append(frame.pts)
            yield frame
        return
    except av.error.FFmpegError as error:
        damage = error
    for place, frame in enumerate(_decode_once(path, cut_off, lenient=True)):
        if place >= len(times):
            yield frame
        elif frame.pts != times[place]:
            raise damage


def _decode_once(path: str, cut_off: bool, *, lenient: bool) -> Iterator[VideoFrame]:
    container, stream = open_container(path, lenient=lenient)
    try:
        decoder = PacketDecoder(stream, lenient=lenient)
        for packet in container.demux(stream):
            if not (cut_off and (packet.is_corrupt or not packet.size)):
                # Not longer: who takes the frames may listen to other decoders meanwhile.
                with listening() as decoder.told:
                    frames = decoder.decode(packet)
                yield from frames
    finally:
        container.close()
