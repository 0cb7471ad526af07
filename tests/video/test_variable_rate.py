"""Clips of videos without a constant frame rate span the seconds that they should."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glore_video.video import (
    ClipSampling,
    FrameTimes,
    centre_start,
    clip_indices,
    num_starts,
    playback,
    view_starts,
)

# 30 frames in the first second, then 10 a second for 9 seconds: from 1 s on, frame 20 + 10 * seconds.
SLOWING = FrameTimes(
    120, Fraction(119 * 30, 297), (*range(30), *range(30, 300, 3)), Fraction(1, 30)
)
EACH_SECOND = ClipSampling(num_frames=4, stride=10, target_fps=10)


def clip(times, sampling, start):
    played = playback(times, sampling)
    return played.frames(clip_indices(start, len(played), sampling, played.fps))


@pytest.mark.parametrize(
    ("sampling", "start", "expected"),
    [
        pytest.param(EACH_SECOND, 0, [0, 30, 40, 50], id="from the start"),
        pytest.param(EACH_SECOND, 65, [85, 95, 105, 115], id="from 6.5 s on"),
        pytest.param(
            ClipSampling(num_frames=4, stride=60, target_fps=60), 60, [30, 40, 50, 60], id="at 60"
        ),
        pytest.param(
            ClipSampling(num_frames=3, stride=1, target_fps=25), 0, [0, 1, 2], id="neighbours, fast"
        ),
        # Places 25 to 27 at 25 a second: 1.00, 1.04 and 1.08 s.
        pytest.param(
            ClipSampling(num_frames=3, stride=1, target_fps=25),
            25,
            [30, 30, 30],
            id="neighbours, slow",
        ),
        # From 0 to 3.9 s in three steps of 1.3 s.
        pytest.param(
            ClipSampling(num_frames=4, stride=10, target_fps=10, spacing="linspace"),
            0,
            [0, 33, 46, 59],
            id="linspace",
        ),
        pytest.param(
            ClipSampling(num_frames=4, stride=50, target_fps=10),
            0,
            [0, 70, 119, 119],
            id="too short",
        ),
        pytest.param(ClipSampling(num_frames=4, stride=10), 25, [25, 35, 45, 55], id="own frames"),
    ],
)
def test_frames_of_a_clip(sampling, start, expected):
    assert clip(SLOWING, sampling, start) == expected


def test_starts_are_spread_over_the_time():
    played = playback(SLOWING, EACH_SECOND)
    assert len(played) == 100
    assert num_starts(len(played), EACH_SECOND, played.fps) == 70
    assert centre_start(len(played), EACH_SECOND, played.fps) == 35
    assert view_starts(3, len(played), EACH_SECOND, played.fps) == [0, 23, 46]


@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001)])
@pytest.mark.parametrize("stamped", [False, True])
def test_a_constant_rate_is_sampled_as_ever(fps, stamped):
    """The table of test_clip_sampling.py, by way of the times."""
    fps, base = Fraction(fps), Fraction(1, 1000)
    stamps = tuple(round(k / fps / base) for k in range(300)) if stamped else ()
    times = FrameTimes(300, fps, stamps, base)
    sampling = ClipSampling(num_frames=8, stride=8, target_fps=30)
    expected = {
        Fraction(25): [0, 6, 13, 20, 26, 33, 40, 46],
        Fraction(30000, 1001): [0, 7, 15, 23, 31, 39, 47, 55],
    }
    assert clip(times, sampling, 0) == expected[fps]


@given(
    gaps=st.lists(st.integers(1, 400), min_size=1, max_size=60),
    stride=st.integers(1, 40),
    target=st.sampled_from([10, 25, 30]),
    spacing=st.sampled_from(["stride", "linspace"]),
)
def test_a_clip_spans_its_seconds(gaps, stride, target, spacing):
    stamps = [0]
    for gap in gaps:
        stamps.append(stamps[-1] + gap)
    mean = Fraction(len(gaps) * 1000, stamps[-1])
    times = FrameTimes(len(stamps), mean, tuple(stamps), Fraction(1, 1000))
    sampling = ClipSampling(num_frames=4, stride=stride, target_fps=target, spacing=spacing)
    played = playback(times, sampling)
    if times.steady:
        return
    frames = clip(times, sampling, 0)
    length = 3 * stride / target if spacing == "stride" else (4 * stride - 1) / target
    for number, frame in enumerate(frames):
        wanted = number * length / 3  # seconds
        # linspace drops fractions of a place
        earliest = wanted - (1 / target if spacing == "linspace" else 0)
        assert times[frame] <= wanted + 0.001
        if wanted + 1 / target < times.duration:  # past the end it is the last place
            assert times.start_of(frame + 1) > earliest - 0.001
    assert len(played) >= times.duration * target
