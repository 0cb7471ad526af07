"""The estimate against what was measured, and when advice is given."""

import pytest

from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.reading_cost import advice_lines, clip_milliseconds


@pytest.mark.parametrize(("gop", "measured"), [(250, 34), (30, 21)])
def test_small_pictures_as_measured(gop, measured):
    cost = clip_milliseconds(frames=300, gop=gop, width=340, height=256)
    assert cost == pytest.approx(measured, abs=0.5)


@pytest.mark.parametrize(
    ("width", "height", "gop", "ratio"),
    [(640, 480, 250, 2.06), (640, 480, 30, 2.63), (1280, 720, 250, 5.28), (1280, 720, 30, 7.07)],
)
def test_large_pictures_cost_what_was_measured_within_a_quarter(width, height, gop, ratio):
    """Ratios to 340x256 of benchmarks/storage.py, one run."""
    small = clip_milliseconds(frames=300, gop=gop, width=340, height=256)
    large = clip_milliseconds(frames=300, gop=gop, width=width, height=height)
    assert large / small == pytest.approx(ratio, rel=0.25)


def test_frames_before_the_clip_are_counted():
    """Starts 0 .. 5 in groups of four: 0 1 2 3 0 1 frames before, 7 / 6 on average."""
    pictures = {"width": 340, "height": 256}
    difference = clip_milliseconds(frames=62, gop=4, **pictures) - clip_milliseconds(
        frames=62, gop=1, **pictures
    )
    assert difference == pytest.approx(0.1215 * 7 / 6)
    short = clip_milliseconds(frames=10, gop=250, **pictures)
    assert short == pytest.approx(12.3 + 0.1215 * 10)


def row(**changes):
    settings = {"frames": 300, "gop": 250, "width": 340, "height": 256, "codec": "h264"}
    return ManifestRow(path="a", status="ok", **(settings | changes))


def test_advice_to_encode_anew():
    lines = advice_lines([row()])
    assert lines[0] == (
        "H.264: a keyframe at least every 250 frames, short side 256 pixels (medians)"
    )
    assert "1.6x less CPU time" in lines[1]
    assert "(1.6x by the keyframes alone, 1.0x by the size alone)" in lines[1]
    assert lines[2].strip().startswith("as glore-video prepare-kinetics --reencode 256 --gop 30")
    large = advice_lines([row(width=720, height=1280)])
    assert "short side 720" in large[0]


def test_no_advice_where_there_is_nothing_to_gain():
    assert "would gain little" in advice_lines([row(gop=30)])[1]
    assert advice_lines([row(codec="vp9")]) == []
    assert advice_lines([row(gop=0)]) == []
    assert advice_lines([ManifestRow(path="a", status="missing")]) == []
