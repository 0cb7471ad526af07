"""H.264 and HEVC packets: how many pictures one holds, and whether decoding may begin there.

Parsed from the heads of NAL units alone (ITU-T H.264 and H.265, section 7.3); nothing is decoded.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from .coded_pictures import CLEAN, ENTRY, ONE, Bits

_LENGTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
_START = b"\0\0\1"


def unit_bounds(data: bytes, length_size: int) -> list[tuple[int, int]]:
    """(first byte, end) of each NAL unit in a packet.

    length_size: bytes of the length before each; 0 if start codes stand there. Raises ValueError
    if the lengths do not add up.
    """
    found: list[tuple[int, int]] = []
    if not length_size:
        at = data.find(_START) + 3
        while at >= 3:
            after = data.find(_START, at)
            found.append((at, after if after >= 0 else len(data)))
            at = after + 3
        return found
    unpack = _LENGTHS[length_size].unpack_from
    at = 0
    try:
        while at < len(data):
            start = at + length_size
            at = start + unpack(data, at)[0]
            found.append((start, at))
    except struct.error:
        raise ValueError("a NAL unit without its length") from None
    if at != len(data) or any(start == end for start, end in found):
        raise ValueError("NAL units whose lengths do not add up")
    return found


def _units_of_lists(record: bytes, at: int, lists: int, header: struct.Struct) -> Iterator[bytes]:
    """NAL units of a configuration record: lists, each with a header that ends with their number."""
    for _ in range(lists):
        count = header.unpack_from(record, at)[-1]
        at += header.size
        for _ in range(count):
            (size,) = _LENGTHS[2].unpack_from(record, at)
            yield record[at + 2 : at + 2 + size]
            at += 2 + size


def _payload(data: bytes, start: int, end: int, most: int) -> Bits:
    """The bits of a unit from `start` on, of at most so many bytes, without emulation prevention."""
    return Bits(data[start : min(end, start + most)].replace(b"\0\0\3", b"\0\0"))


class H264Packets:
    """Flags of H.264 packets; see coded_pictures.Look.

    A picture that is not an IDR picture is an entry if all of it is intra and an SEI message says that
    all is right from there on; where that comes only later (intra refresh), it is none.
    """

    _SLICES = frozenset({1, 2, 5})  # of a non-IDR picture, its partition A, of an IDR picture
    _IDR, _SEI, _SPS = 5, 6, 7
    _RECOVERY_POINT = 6  # a kind of SEI message

    def __init__(self, extradata: bytes | None) -> None:
        """extradata: an AVC configuration record, or NAL units with start codes. Raises ValueError."""
        self._length_size = 0
        self._known: set[bytes] = set()  # sequence parameter sets
        self._forms: set[_Form] = set()  # of these
        head = extradata or b""
        if head[:1] == b"\1":
            self._length_size = (head[4] & 3) + 1
            units = list(
                _units_of_lists(head[:5] + bytes([head[5] & 31]) + head[6:], 5, 1, _LENGTHS[1])
            )
        else:
            units = [head[start:end] for start, end in unit_bounds(head, 0)]
        for unit in units:
            if unit and unit[0] & 31 == self._SPS:
                self._add_parameters(unit)

    @property
    def may_have_fields(self) -> bool:
        """Whether pictures may be fields, or frames of two fields, as far as is known."""
        return not self._forms or any(not form.frames_only for form in self._forms)

    def _add_parameters(self, unit: bytes) -> None:
        if unit not in self._known:
            self._known.add(unit)
            self._forms.add(_form(unit))

    def __call__(self, data: bytes, keyframe: bool) -> int:
        units = unit_bounds(data, self._length_size)
        firsts: list[tuple[int, int]] = []  # first slices of pictures
        found = 0
        for start, end in units:
            kind = data[start] & 31
            if kind in self._SLICES:
                if data[start + 1] & 0x80:  # its first macroblock is the picture's
                    firsts.append((start, end))
                if kind == self._IDR:
                    found = ENTRY | CLEAN
            elif kind == self._SPS:
                self._add_parameters(data[start:end])
        if keyframe and not found and self._recovers_at_once(data, units):
            found = ENTRY
        if len(self._forms) != 1:
            return found
        (form,) = self._forms
        if form.frames_only:
            return found | ONE if len(firsts) == 1 else found
        fields = [
            _is_field(_payload(data, start + 1, end, 32), form.bits_before_field)
            for start, end in firsts
        ]
        return found | ONE if fields in ([False], [True, True]) else found

    def _recovers_at_once(self, data: bytes, units: list[tuple[int, int]]) -> bool:
        marked = False
        for start, end in units:
            kind = data[start] & 31
            if kind in self._SLICES:
                bits = _payload(data, start + 1, end, 16)
                bits.ue()
                if bits.ue() % 5 != 2:  # not an I slice
                    return False
            elif kind == self._SEI:
                payload = data[start + 1 : end].replace(b"\0\0\3", b"\0\0")
                marked = marked or any(
                    kind == self._RECOVERY_POINT and Bits(message).ue() == 0
                    for kind, message in _sei_messages(payload)
                )
        return marked


def _sei_messages(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 < len(payload):
        numbers = [0, 0]  # kind, size: sums of bytes, of which 255 is not the last
        for i in range(2):
            while payload[at] == 255:
                numbers[i] += 255
                at += 1
            numbers[i] += payload[at]
            at += 1
        kind, size = numbers
        yield kind, payload[at : at + size]
        at += size


# Profiles whose parameter sets tell of colours and scaling.
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


class _Form(NamedTuple):
    """What a sequence parameter set says of pictures.

    bits_before_field: of a slice's head, between the number of its parameter set and the bit that
    tells a field. frames_only: there are no fields.
    """

    bits_before_field: int
    size: tuple[int, ...]
    frames_only: bool


def _form(unit: bytes) -> _Form:
    bits = _payload(unit, 1, len(unit), 1024)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    plane_bits = 0
    if profile in _HIGH:
        chroma = bits.ue()
        if chroma == 3:
            plane_bits = 2 * bits.u(1)
        for _ in ("bit depths", "of luma and chroma"):
            bits.ue()
        bits.u(1)
        if bits.u(1):
            for i in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _pass_over_scaling_list(bits, 16 if i < 6 else 64)
    frame_num_bits = bits.ue() + 4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.ue()
        bits.ue()
        for _ in range(bits.ue()):
            bits.ue()
    bits.ue()  # references
    bits.u(1)
    size = [bits.ue(), bits.ue()]
    frames_only = bool(bits.u(1))
    bits.u(1 if frames_only else 2)
    if bits.u(1):
        size += [bits.ue() for _ in range(4)]  # cropping
    return _Form(plane_bits + frame_num_bits, tuple(size), frames_only)


def _pass_over_scaling_list(bits: Bits, size: int) -> None:
    last = 8
    for _ in range(size):
        code = bits.ue()
        last = (last + (code + 1) // 2 * (1 if code % 2 else -1)) % 256  # a signed code
        if last == 0:
            return


def _is_field(bits: Bits, bits_before_field: int) -> bool:
    """Whether a slice is of a field, in a stream that may have fields."""
    for _ in ("first macroblock", "slice type", "picture parameter set"):
        bits.ue()
    bits.u(bits_before_field)
    return bool(bits.u(1))


class HevcPackets:
    """Flags of HEVC packets; see coded_pictures.Look.

    Fields that are pictures of their own count as frames, as decoders show them.
    """

    _RANDOM_ACCESS = range(16, 24)  # BLA, IDR and CRA pictures, and two kinds to come
    _IDR = frozenset({19, 20})
    _LAST_SLICE, _SPS, _PPS = 31, 33, 34
    _ENDS = frozenset({36, 37})  # of the sequence, of the bitstream
    _LISTS = struct.Struct(">BH")

    def __init__(self, extradata: bytes | None) -> None:
        """extradata: an HEVC configuration record, or NAL units with start codes. Raises ValueError."""
        self._length_size = 0
        self._begun = self._ended = self._may_hide = False
        head = extradata or b""
        if head[:2] != b"\0\0" and len(head) > 22:
            self._length_size = (head[21] & 3) + 1
            units = list(_units_of_lists(head, 23, head[22], self._LISTS))
        else:
            units = [head[start:end] for start, end in unit_bounds(head, 0)]
        self._sequences: set[bytes] = set()
        for unit in units:
            if unit:
                self._add_parameters(unit[0] >> 1, unit)

    def _add_parameters(self, kind: int, unit: bytes) -> None:
        if kind == self._SPS:
            self._sequences.add(unit.rstrip(b"\0"))
        if kind != self._PPS:
            return
        bits = _payload(unit, 2, len(unit), 32)
        bits.ue()
        bits.ue()
        bits.u(1)
        self._may_hide |= bool(bits.u(1))  # pictures may say that they are not shown

    def __call__(self, data: bytes, keyframe: bool) -> int:
        pictures = found = 0
        dropping = False
        ended = self._ended
        for start, end in unit_bounds(data, self._length_size):
            if data[start] & 1 or data[start + 1] & 0xF8:
                continue  # of another layer, another view say
            kind = data[start] >> 1
            if kind <= self._LAST_SLICE:
                head = data[start + 2]
                pictures += head >> 7  # the first slice of a picture
                if kind in self._RANDOM_ACCESS:
                    found = ENTRY | CLEAN if kind in self._IDR else ENTRY
                    dropping = dropping or bool(self._begun and head & 0x40)
            elif kind in self._ENDS:
                self._ended = True
            else:
                self._add_parameters(kind, data[start:end])
        self._begun = True
        # Earlier pictures may be dropped unseen; after an end some are that would be shown.
        if len(self._sequences) < 2 and not (self._may_hide or dropping or ended):
            found |= ONE if pictures == 1 else 0
        return found
