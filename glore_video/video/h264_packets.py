"""H.264 packets: how many pictures one holds, and whether decoding may begin there.

Parsed from the heads of NAL units alone (ITU-T H.264, section 7.3); nothing is decoded.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .coded_pictures import CLEAN, ENTRY, ONE, Bits
from .nal_units import LENGTHS, payload_bits, unit_bounds, units_of_lists


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
        self._frames_only = False  # one form of pictures is known, and it is of frames
        head = extradata or b""
        if head[:1] == b"\1":
            self._length_size = (head[4] & 3) + 1
            units = list(
                units_of_lists(head[:5] + bytes([head[5] & 31]) + head[6:], 5, 1, LENGTHS[1])
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
            # As many forms as one: with several, the size may change.
            self._frames_only = len(self._forms) == 1 and not self.may_have_fields

    def __call__(self, data: bytes, keyframe: bool) -> int:
        if self._is_common(data) and not keyframe:
            return ONE
        units = unit_bounds(data, self._length_size)
        firsts: list[tuple[int, int]] = []  # first slices of pictures
        found = 0
        slices, idr, sps = self._SLICES, self._IDR, self._SPS
        for start, end in units:
            kind = data[start] & 31
            if kind in slices:
                if data[start + 1] & 0x80:  # its first macroblock is the picture's
                    firsts.append((start, end))
                if kind == idr:
                    found = ENTRY | CLEAN
            elif kind == sps:
                self._add_parameters(data[start:end])
        if keyframe and not found and self._recovers_at_once(data, units):
            found = ENTRY
        if len(self._forms) != 1:
            return found
        (form,) = self._forms
        if form.frames_only:
            return found | ONE if len(firsts) == 1 else found
        fields = [
            _is_field(payload_bits(data, start + 1, end, 32), form.bits_before_field)
            for start, end in firsts
        ]
        return found | ONE if fields in ([False], [True, True]) else found

    def _is_common(self, data: bytes) -> bool:
        """Whether a packet is what most are, one slice of a frame that is no IDR picture: a short cut."""
        return (
            self._frames_only
            and self._length_size == 4
            and len(data) > 5
            and data[4] & 31 == 1
            and data[5] & 0x80 != 0
            and int.from_bytes(data[:4], "big") == len(data) - 4
        )

    def _recovers_at_once(self, data: bytes, units: list[tuple[int, int]]) -> bool:
        marked = False
        for start, end in units:
            kind = data[start] & 31
            if kind in self._SLICES:
                bits = payload_bits(data, start + 1, end, 16)
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
    bits = payload_bits(unit, 1, len(unit), 1024)
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
