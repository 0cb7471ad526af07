"""HEVC packets: how many pictures one holds, and whether decoding may begin there.

Parsed from the heads of NAL units alone (ITU-T H.265, section 7.3); nothing is decoded.
"""

import struct

from .coded_pictures import CLEAN, ENTRY, ONE
from .nal_units import payload_bits, unit_bounds, units_of_lists


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
            units = list(units_of_lists(head, 23, head[22], self._LISTS))
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
        bits = payload_bits(unit, 2, len(unit), 32)
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

    def has_hole(self, data: bytes) -> bool:
        """Whether zeros stand in a picture where the standard allows none: a part that was never
        written or never sent, of which decoders say nothing."""
        try:
            units = unit_bounds(data, self._length_size)
        except ValueError:
            return False  # decoders say so
        for start, end in units:
            if data[start] >> 1 <= self._LAST_SLICE:
                hole = data.find(b"\0\0\0", start, end)
                # With start codes a unit may be followed by zeros.
                if hole >= 0 and (self._length_size or data[hole:end].strip(b"\0")):
                    return True
        return False
