"""Heads of H.264 and HEVC packets, written bit by bit from the standards' tables."""

import pytest
from h264_fields import Bits

from glore_video.video.coded_pictures import CLEAN, ENTRY, ONE
from glore_video.video.h264_packets import H264Packets
from glore_video.video.hevc_packets import HevcPackets
from glore_video.video.nal_units import unit_bounds

IDR, SLICE, SEI, SPS, FILLER = 0x65, 0x41, 0x06, 0x67, 0x0C
DELIMITER = b"\x09\xf0"


def unit(bits, head):
    """A NAL unit without its start code."""
    return bits.nal(head)[4:]


def h264_sps(*, frames_only=True, profile=77, width=5, tail=0):
    bits = Bits().u(profile, 8).u(0, 16).ue(0)
    if profile == 100:
        bits.ue(1, 0, 0).u(0, 1)  # 4:2:0, 8 bits, 8 bits
        bits.u(1, 1).u(1, 1).ue(*[1] * 15, 0)  # a list of 16 steps, then one that ends at once:
        bits.u(1, 1).ue(16).u(0, 6)  # 8 and a step of -8
    bits.ue(0, 2, 1).u(0, 1).ue(width, 3)  # frame_num of 4 bits, order as decoded
    bits.u(int(frames_only), 1)
    bits.u(0, 1 if frames_only else 2)
    return unit(bits.u(0, 1).u(tail, 1), SPS)


def h264_slice(head=SLICE, *, first=0, kind=7, field=None):
    bits = Bits().ue(first, kind, 0).u(3, 4)
    if field is not None:
        bits.u(field, 1)
    return unit(bits.u(0b1011, 4), head)


def recovery_point(frames):
    payload = Bits().ue(frames).u(0b1000, 4).align()
    data = int("".join(payload.bits), 2).to_bytes(payload.length // 8, "big")
    return bytes([SEI, 6, len(data)]) + data + b"\x80"


def avcc(*sets):
    lists = b"".join(len(one).to_bytes(2, "big") + one for one in sets)
    return b"\1\x4d\0\x1e\xff" + bytes([0xE0 | len(sets)]) + lists + b"\0"


def packet(*units):
    return b"".join(len(one).to_bytes(4, "big") + one for one in units)


WHOLE = ONE | ENTRY | CLEAN
FRAMES, FIELDS = h264_sps(), h264_sps(frames_only=False)


@pytest.mark.parametrize(
    ("sps", "units", "keyframe", "flags"),
    [
        pytest.param(FRAMES, [h264_slice(IDR)], True, WHOLE, id="IDR"),
        pytest.param(FRAMES, [DELIMITER, FRAMES, h264_slice(IDR)], True, WHOLE, id="sets, IDR"),
        pytest.param(FRAMES, [h264_slice(kind=5)], False, ONE, id="P"),
        pytest.param(FRAMES, [h264_slice(), h264_slice(first=6)], False, ONE, id="two slices"),
        pytest.param(FRAMES, [h264_slice(first=6)], False, 0, id="the rest of a picture"),
        pytest.param(FRAMES, [h264_slice(), h264_slice()], False, 0, id="two pictures"),
        pytest.param(FRAMES, [DELIMITER, FRAMES], True, 0, id="sets alone"),
        pytest.param(FRAMES, [bytes([FILLER, 255, 255, 128])], False, 0, id="filler alone"),
        pytest.param(FRAMES, [h264_slice()], True, ONE, id="I without recovery point"),
        pytest.param(FRAMES, [recovery_point(0), h264_slice()], True, ONE | ENTRY, id="open GOP"),
        pytest.param(FRAMES, [recovery_point(0), h264_slice()], False, ONE, id="not a keyframe"),
        pytest.param(FRAMES, [recovery_point(0), h264_slice(kind=5)], True, ONE, id="P, recovers"),
        pytest.param(FRAMES, [recovery_point(5), h264_slice()], True, ONE, id="refresh"),
        pytest.param(FRAMES, [h264_sps(width=7), h264_slice(IDR)], True, WHOLE - ONE, id="resized"),
        pytest.param(FRAMES, [h264_sps(tail=1), h264_slice(IDR)], True, WHOLE, id="another VUI"),
        pytest.param(FIELDS, [h264_slice(IDR, field=0)], True, WHOLE, id="a frame among fields"),
        pytest.param(FIELDS, [h264_slice(field=1)], False, 0, id="a field"),
        pytest.param(FIELDS, [h264_slice(field=1)] * 2, False, ONE, id="two fields"),
        pytest.param(FIELDS, [h264_slice(field=0)] * 2, False, 0, id="two frames"),
        pytest.param(
            h264_sps(frames_only=False, profile=100),
            [h264_slice(field=1)] * 2,
            False,
            ONE,
            id="two fields, scaling lists",
        ),
    ],
)
def test_h264_packets(sps, units, keyframe, flags):
    assert H264Packets(avcc(sps))(packet(*units), keyframe) == flags
    coded = b"".join(b"\0\0\0\1" + one for one in units)
    assert H264Packets(b"\0\0\0\1" + sps)(coded, keyframe) == flags


def test_h264_of_which_no_head_is_known():
    look = H264Packets(None)
    assert look(b"\0\0\1" + h264_slice(IDR), True) == ENTRY | CLEAN
    assert look(b"\0\0\1" + FRAMES + b"\0\0\1" + h264_slice(IDR), True) == WHOLE


@pytest.mark.parametrize(("sps", "fields"), [(FRAMES, False), (FIELDS, True), (b"", True)])
def test_h264_that_may_have_fields(sps, fields):
    assert H264Packets(avcc(sps) if sps else None).may_have_fields is fields


def hevc(kind, *payload, layer=0):
    return bytes([kind << 1 | layer >> 5, (layer & 31) << 3 | 1, *payload])


FIRST, NEXT, DROPS = 0xA0, 0x20, 0xE0  # of a slice: the first one, a later one, one that drops
CRA, IDR_HEVC, TRAIL = 21, 19, 1
PLAIN_PPS, HIDING_PPS = hevc(34, 0b11000000), hevc(34, 0b11010000)


def hvcc(*sets):
    arrays = b"".join(
        bytes([one[0] >> 1]) + b"\0\1" + len(one).to_bytes(2, "big") + one for one in sets
    )
    return b"\1" + bytes(20) + b"\x03" + bytes([len(sets)]) + arrays


@pytest.mark.parametrize(
    ("units", "flags"),
    [
        pytest.param([hevc(IDR_HEVC, FIRST)], WHOLE, id="IDR"),
        pytest.param([hevc(CRA, FIRST)], ONE | ENTRY, id="CRA"),
        pytest.param([hevc(TRAIL, FIRST), hevc(TRAIL, NEXT)], ONE, id="two slices"),
        pytest.param([hevc(TRAIL, FIRST), hevc(TRAIL, FIRST)], 0, id="two pictures"),
        pytest.param([hevc(TRAIL, NEXT)], 0, id="the rest of a picture"),
        pytest.param([hevc(39, 5, 1, 7)], 0, id="SEI alone"),
        pytest.param([hevc(TRAIL, FIRST), hevc(TRAIL, FIRST, layer=1)], ONE, id="two layers"),
        pytest.param([HIDING_PPS, hevc(TRAIL, FIRST)], 0, id="pictures may be hidden"),
        pytest.param([hevc(33, 9), hevc(TRAIL, FIRST)], 0, id="another sequence"),
        pytest.param([hevc(33, 1), hevc(TRAIL, FIRST)], ONE, id="the same sequence"),
        pytest.param([hevc(CRA, DROPS)], ENTRY, id="drops what was not shown"),
    ],
)
def test_hevc_packets(units, flags):
    look = HevcPackets(hvcc(hevc(33, 1), PLAIN_PPS))
    assert look(packet(hevc(IDR_HEVC, DROPS)), True) == WHOLE  # nothing is there to be dropped
    assert look(packet(*units), False) == flags


def test_hevc_after_the_end_of_a_sequence():
    look = HevcPackets(hvcc(PLAIN_PPS))
    assert look(packet(hevc(CRA, FIRST), hevc(36)), True) == ONE | ENTRY
    assert look(packet(hevc(CRA, FIRST)), True) == ENTRY


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\0\0\0\5abc", id="too long"),
        pytest.param(b"\0\0\0\1ab", id="too short"),
        pytest.param(b"\0\0\0\1a\0", id="a length cut off"),
        pytest.param(b"\0\0\0\0", id="an empty unit"),
    ],
)
def test_lengths_that_do_not_add_up(data):
    with pytest.raises(ValueError, match="length"):
        unit_bounds(data, 4)


@pytest.mark.parametrize(
    ("size", "data"),
    [
        pytest.param(1, b"\2ab\1c", id="a byte"),
        pytest.param(2, b"\0\2ab\0\1c", id="two bytes"),
        pytest.param(0, b"\0\0\1ab\0\0\1c", id="start codes"),
    ],
)
def test_unit_bounds(size, data):
    assert [data[start:end] for start, end in unit_bounds(data, size)] == [b"ab", b"c"]


@pytest.mark.parametrize(
    ("size", "data", "hole"),
    [
        pytest.param(4, packet(hevc(TRAIL, FIRST, 9, 0, 0, 0, 9)), True, id="in a slice"),
        pytest.param(4, packet(hevc(TRAIL, FIRST, 9, 0, 0, 0)), True, id="at its end"),
        pytest.param(
            4, packet(hevc(TRAIL, FIRST, 9, 0, 0, 3, 0, 9)), False, id="two zeros, escaped"
        ),
        pytest.param(4, packet(hevc(39, 0, 0, 0), hevc(TRAIL, FIRST)), False, id="in SEI"),
        pytest.param(4, b"\0\0\0\0\0\0", False, id="nothing but zeros"),
        pytest.param(0, b"\0\0\1" + hevc(TRAIL, FIRST, 9) + bytes(9), False, id="after a unit"),
        pytest.param(0, b"\0\0\1" + hevc(TRAIL, 9, 0, 0, 0, 9), True, id="in one, start codes"),
    ],
)
def test_holes_in_hevc(size, data, hole):
    look = HevcPackets(hvcc(PLAIN_PPS) if size else b"\0\0\1" + PLAIN_PPS)
    assert look.has_hole(data) is hole
