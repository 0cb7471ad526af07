"""Heads of packets of the codecs without NAL units, written bit by bit from their specifications."""

import pytest
from h264_fields import Bits as Written

from glore_video.video.coded_pictures import (
    CLEAN,
    ENTRY,
    ONE,
    Av1Packets,
    Bits,
    Vp9Packets,
    look_at_mjpeg,
    look_at_mpeg4,
    look_at_mpeg4_in_avi,
)

WHOLE = ONE | ENTRY | CLEAN


def test_bits():
    bits = Bits(bytes([0b10100110, 0b01000011]))
    assert [bits.u(3), bits.ue(), bits.ue(), bits.u(0)] == [5, 5, 1, 0]
    with pytest.raises(ValueError, match="end"):
        bits.u(9)


def vp9(*, key=False, shown=True, existing=False, size=None, profile=0):
    bits = Written().u(2, 2).u(profile & 1, 1).u(profile >> 1, 1).u(0, int(profile == 3))
    bits.u(int(existing), 1)
    if existing:
        bits.u(0, 3)
    else:
        bits.u(int(not key), 1).u(int(shown), 1).u(0, 1)
        if key:
            bits.u(0x498342, 24).u(0, int(profile >= 2)).u(1, 3).u(0, 1).u(0, 3 * (profile & 1))
            bits.u(size[0], 16).u(size[1], 16)
        else:
            bits.u(0, int(not shown)).u(0, 2).u(1, 8).u(0, 12).u(4 * (size is None), 3)
            if size is not None:
                bits.u(size[0], 16).u(size[1], 16)
    bits.u(0, 40).align()
    return int("".join(bits.bits), 2).to_bytes(bits.length // 8, "big")


def superframe(*frames):
    mark = bytes([0xC0 | 1 << 3 | len(frames) - 1])
    return b"".join(frames) + mark + b"".join(len(f).to_bytes(2, "little") for f in frames) + mark


SIZE, OTHER = (95, 63), (127, 95)


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        pytest.param(vp9(), ONE, id="a frame"),
        pytest.param(vp9(shown=False), 0, id="hidden"),
        pytest.param(vp9(existing=True), ONE, id="a hidden one is shown"),
        pytest.param(superframe(vp9(shown=False), vp9()), ONE, id="hidden and shown"),
        pytest.param(superframe(vp9(), vp9()), 0, id="two shown"),
        pytest.param(vp9(key=True, size=SIZE), WHOLE, id="key"),
        pytest.param(vp9(key=True, size=OTHER), ENTRY | CLEAN, id="key of another size"),
        pytest.param(vp9(size=SIZE), ONE, id="states its size"),
        pytest.param(vp9(size=OTHER), 0, id="states another size"),
        *(
            pytest.param(vp9(key=True, size=SIZE, profile=p), WHOLE, id=f"key, profile {p}")
            for p in (1, 2, 3)
        ),
    ],
)
def test_vp9_packets(data, flags):
    look = Vp9Packets()
    assert look(vp9(key=True, size=SIZE), True) == WHOLE
    assert look(data, False) == flags


def obu(kind, *payload, sized=True, extended=False):
    head = bytes([kind << 3 | 4 * extended | 2 * sized]) + b"\0" * extended
    return head + (bytes([len(payload)]) if sized else b"") + bytes(payload)


SEQUENCE = obu(1, 7, 7)
KEY, SHOWN, HIDDEN, EXISTING = 0x10, 0x30, 0x20, 0x80  # of a frame header, the first byte


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        pytest.param(SEQUENCE + obu(6, KEY, 1), WHOLE, id="key"),
        pytest.param(obu(2) + obu(6, SHOWN, 1), ONE, id="a frame"),
        pytest.param(obu(6, HIDDEN) + obu(6, SHOWN, sized=False), ONE, id="hidden and shown"),
        pytest.param(obu(6, HIDDEN, 1), 0, id="hidden"),
        pytest.param(obu(3, EXISTING), ONE, id="a hidden one is shown"),
        pytest.param(obu(3, SHOWN) + obu(4, 1, 2), ONE, id="header and tiles"),
        pytest.param(obu(6, SHOWN) + obu(6, SHOWN, extended=True), 0, id="two layers"),
        pytest.param(obu(6, SHOWN, *[0] * 100) + obu(5, 1), ONE, id="metadata"),
        pytest.param(obu(1, 8, 7) + obu(6, KEY), ENTRY | CLEAN, id="another sequence"),
    ],
)
def test_av1_packets(data, flags):
    look = Av1Packets()
    assert look(SEQUENCE + obu(6, KEY), True) == WHOLE
    assert look(data, False) == flags


def test_av1_sizes_of_several_bytes():
    data = bytes([6 << 3 | 2, 0x80 | 0x2C, 0x02]) + bytes([SHOWN]) + bytes(299)  # 300 bytes
    assert Av1Packets()(data + obu(6, SHOWN), False) == 0


@pytest.mark.parametrize(
    ("polarity", "flags"), [(0, WHOLE), (1, ENTRY | CLEAN), (2, ENTRY | CLEAN)]
)
def test_jpeg_fields_in_avi(polarity, flags):
    head = b"\xff\xd8\xff\xe0\x00\x10AVI1" + bytes([polarity]) + bytes(9)
    assert look_at_mjpeg(head + bytes(50), True) == flags
    assert look_at_mjpeg(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(50), True) == WHOLE


@pytest.mark.parametrize(
    ("data", "flags", "in_avi"),
    [
        pytest.param(b"\0\0\1\xb6\x00" + bytes(8), ONE | ENTRY, ONE | ENTRY, id="I"),
        pytest.param(b"\0\0\1\xb0\x01\0\0\1\xb6\x40" + bytes(8), ONE, ONE, id="header, P"),
        pytest.param(b"\0\0\1\xb6\x80" + bytes(8), ONE, 0, id="B"),
        pytest.param(b"\0\0\1\xb6\x40abc\0\0\1\xb6\x80" + bytes(8), 0, 0, id="P and B packed"),
        pytest.param(b"\0\0\1\xb6\x51\x20", 0, 0, id="an empty frame"),
        pytest.param(bytes(9) + b"\0\0\1\xb6\x51\x20", 0, 0, id="header, an empty frame"),
        pytest.param(bytes(20), 0, 0, id="zeros"),
        pytest.param(bytes(10) + b"\0\0\1\xb6", 0, 0, id="start code at the end"),
    ],
)
def test_mpeg4_packets(data, flags, in_avi):
    assert look_at_mpeg4(data, False) == flags
    assert look_at_mpeg4_in_avi(data, False) == in_avi
