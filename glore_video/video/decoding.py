"""Decoding packets in order: what counts as damage, and what is passed over because it harms no frame."""

import re
from collections.abc import Generator, Iterator

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .coded_pictures import CLEAN
from .looks import look_for
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
    """

    def __init__(self, stream: VideoStream, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._look = look_for(stream) if lenient else None
        self._begun = self._begun_anew = False
        self._start: int | None = None  # time of the keyframe where decoding began
        self._newest: int | None = None  # latest time of a packet
        self._start_is_open = False  # pictures from before the start are spoken of
        self._spoilt: set[int | None] = set()  # times of packets that failed as they may

    def decode(self, packet: Packet) -> list[VideoFrame]:
        """Frames that come out of the decoder now."""
        if packet.is_keyframe:
            self._note_keyframe(packet)
        if packet.pts is not None and (self._newest is None or packet.pts > self._newest):
            self._newest = packet.pts
        frames, error, messages = _decode_and_listen(packet)
        harm = [message for message in messages if not self._is_harmless(message)]
        if error is not None and self._lenient and messages and not harm:
            error = None
        if error is None and (harm if self._lenient else any(map(_PAINTED_OVER.match, harm))):
            error = av.error.InvalidDataError(
                av.error.tag_to_code(b"INDA"), "Invalid data found when processing input"
            )
        if error is not None:
            if not self._may_fail(packet):
                raise error
            self._spoilt.add(packet.pts)
        if self._spoilt:
            return [frame for frame in frames if frame.pts not in self._spoilt]
        return frames

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


def _decode_and_listen(
    packet: Packet,
) -> tuple[list[VideoFrame], av.error.FFmpegError | None, list[str]]:
    """Frames that come out of the decoder, its error, and its warnings and what it painted over."""
    error = None
    frames: list[VideoFrame] = []
    level, skip = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as told:
            frames = [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except av.error.FFmpegError as raised:
        error = raised
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip)
    if not told:
        return frames, error, []
    messages = [
        message.strip()
        for weight, _, message in told
        if weight <= av.logging.WARNING or _PAINTED_OVER.match(message)
    ]
    return frames, error, messages


def decode_in_order(path: str, *, cut_off: bool = False) -> Generator[VideoFrame, None, None]:
    """All frames of a file, until the first one that is damaged. Close the iterator.

    Raises FFmpegError there, VideoError if the file can't be opened. Of a file that is cut off,
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
                yield from decoder.decode(packet)
    finally:
        container.close()
