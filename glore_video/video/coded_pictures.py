"""What a packet holds, as its bitstream says, without decoding: whether that is one shown frame.

Containers promise nothing: a packet may be one of two fields, or parameter sets alone, or a frame
that is not shown. Each codec's reader of heads costs about a microsecond a packet.
"""

from collections.abc import Callable
from itertools import accumulate

# Flags of a packet.
ONE = 1  # holds one frame that is shown, no less and no more, of the size of those before
ENTRY = 2  # decoding may begin at it
CLEAN = 4  # what comes after it refers to nothing before it

Look = Callable[[bytes, bool], int]
"""Flags of a packet of such bytes, which the container calls a keyframe or not.

Packets of a stream are looked at in the order in which they are stored. Raises ValueError or
LookupError if they are not what they should be (but not from looks.look_for).
"""


class Bits:
    """Reads syntax elements from bytes, the highest bit first. Raises ValueError after the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def u(self, width: int) -> int:
        """An unsigned number of so many bits."""
        self._left -= width
        if self._left < 0:
            raise ValueError("the bits end here")
        return self._value >> self._left & ((1 << width) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb code, as H.264 and HEVC have."""
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        self.u(zeros)
        return self.u(zeros + 1) - 1


class Vp9Packets:
    """Flags of VP9 packets: a frame, or a superframe of several (VP9 specification, 6.2 and B)."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None

    def __call__(self, data: bytes, _: bool) -> int:
        shown, key, resized = 0, False, False
        for at in accumulate(_superframe(data)[:-1], initial=0):
            bits = Bits(data[at : at + 24])
            bits.u(2)
            profile = bits.u(1) + 2 * bits.u(1)
            if profile == 3:
                bits.u(1)
            if bits.u(1):  # a frame of before
                shown += 1
                continue
            is_key, is_shown, resilient = not bits.u(1), bits.u(1), bits.u(1)
            shown += is_shown
            key = key or is_key
            size = _vp9_size(bits, profile, is_key, hidden=not is_shown, resilient=bool(resilient))
            resized = resized or (size is not None and self._size not in (None, size))
            self._size = self._size or size
        return (ONE if shown == 1 and not resized else 0) | (ENTRY | CLEAN if key else 0)


def _superframe(data: bytes) -> list[int]:
    """Bytes of each frame in a packet."""
    last = data[-1]
    if last & 0xE0 == 0xC0:
        count, width = (last & 7) + 1, (last >> 3 & 3) + 1
        index = len(data) - 2 - count * width
        if index >= 0 and data[index] == last:
            places = range(index + 1, len(data) - 1, width)
            return [int.from_bytes(data[at : at + width], "little") for at in places]
    return [len(data)]


def _vp9_size(
    bits: Bits, profile: int, key: bool, *, hidden: bool, resilient: bool
) -> tuple[int, int] | None:
    """Width and height less 1 that a frame states, after its flags; None if it has a reference's."""
    intra = not key and hidden and bits.u(1)
    if not key and not resilient:
        bits.u(2)
    if key or intra:
        bits.u(24)  # sync code
        if key or profile > 0:
            if profile >= 2:
                bits.u(1)
            if bits.u(3) != 7:  # not RGB
                bits.u(1)
                bits.u(3 if profile in (1, 3) else 0)
            elif profile in (1, 3):
                bits.u(1)
    if not key:
        bits.u(8)  # references to renew
        if not intra:
            bits.u(12)  # references
            if bits.u(1) or bits.u(1) or bits.u(1):
                return None
    return bits.u(16), bits.u(16)


class Av1Packets:
    """Flags of AV1 temporal units (AV1 specification, 5.3 and 5.9)."""

    _SEQUENCE_HEADER, _FRAMES = 1, frozenset({3, 6})  # OBUs: frame header, frame

    def __init__(self) -> None:
        self._sequences: set[bytes] = set()

    def __call__(self, data: bytes, _: bool) -> int:
        at = shown = 0
        key = False
        while at < len(data):
            head = data[at]
            at += 2 if head & 4 else 1
            size = len(data) - at
            if head & 2:
                size = shift = 0
                while True:  # leb128
                    byte = data[at]
                    at += 1
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
            kind = head >> 3 & 15
            if kind in self._FRAMES:
                first = data[at]
                existing, is_inter, is_shown = first & 0x80, first >> 5 & 3, first & 0x10
                shown += bool(existing or is_shown)
                key = key or (not (existing or is_inter) and bool(is_shown))
            elif kind == self._SEQUENCE_HEADER:
                self._sequences.add(data[at : at + size])
            at += size
        one = shown == 1 and len(self._sequences) < 2
        return (ONE if one else 0) | (ENTRY | CLEAN if key else 0)


def look_at_mjpeg(data: bytes, _: bool) -> int:
    """Flags of a JPEG picture; AVI files may hold a field in it, or two, and say so in its head."""
    mark = data.find(b"AVI1", 0, 64)
    field = mark >= 0 and data[mark + 4] != 0
    return ENTRY | CLEAN if field else ONE | ENTRY | CLEAN


_VOP = b"\0\0\1\xb6"  # start code of an MPEG-4 part 2 frame
_EMPTY_VOP = 8  # bytes that a frame without a picture has at most, its start code among them
_INTRA, _BETWEEN_TWO = 0, 2


def look_at_mpeg4(data: bytes, _: bool) -> int:
    """Flags of an MPEG-4 part 2 packet with one frame that has a picture.

    Files may pack a B frame and the P frame it needs into one packet, and put an empty frame in the
    place that is left; decoders show nothing for it.
    """
    start = data.find(_VOP)
    if start < 0 or len(data) - start <= _EMPTY_VOP or data.rfind(_VOP) != start:
        return 0
    return ONE | ENTRY if data[start + 4] >> 6 == _INTRA else ONE


def look_at_mpeg4_in_avi(data: bytes, _: bool) -> int:
    """The same without B frames, of whose reordering no time stamps tell here."""
    found = look_at_mpeg4(data, _)
    return 0 if found and data[data.find(_VOP) + 4] >> 6 == _BETWEEN_TWO else found
