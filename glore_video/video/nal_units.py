"""NAL units, of which H.264 and HEVC packets are made (ITU-T H.264 and H.265, annex B and 7.3)."""

import struct
from collections.abc import Iterator

from .coded_pictures import Bits

LENGTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
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
    unpack = LENGTHS[length_size].unpack_from
    at, end = 0, len(data)
    try:
        while at < end:
            start = at + length_size
            at = start + unpack(data, at)[0]
            if at == start:
                raise ValueError("a NAL unit of no length")
            found.append((start, at))
    except struct.error:
        raise ValueError("a NAL unit without its length") from None
    if at != end:
        raise ValueError("NAL units whose lengths do not add up")
    return found


def units_of_lists(record: bytes, at: int, lists: int, header: struct.Struct) -> Iterator[bytes]:
    """NAL units of a configuration record: lists, each with a header that ends with their number."""
    for _ in range(lists):
        count = header.unpack_from(record, at)[-1]
        at += header.size
        for _ in range(count):
            (size,) = LENGTHS[2].unpack_from(record, at)
            yield record[at + 2 : at + 2 + size]
            at += 2 + size


def payload_bits(data: bytes, start: int, end: int, most: int) -> Bits:
    """The bits of a unit from `start` on, of at most so many bytes, without emulation prevention."""
    return Bits(data[start : min(end, start + most)].replace(b"\0\0\3", b"\0\0"))
