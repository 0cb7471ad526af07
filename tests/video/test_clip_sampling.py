import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glore_video.video.clip_sampling import (
    ClipSampling,
    centre_start,
    clip_indices,
    num_starts,
    span,
    view_starts,
)

NTSC = Fraction(30000, 1001)
STRIDE_8X8 = ClipSampling(num_frames=8, stride=8)
CYCLE_8X8 = ClipSampling(num_frames=8, stride=8, short_video="cycle")
LINSPACE_8X8 = ClipSampling(num_frames=8, stride=8, spacing="linspace")
SLOWFAST_8X8 = ClipSampling(num_frames=8, stride=8, spacing="linspace", target_fps=30)
STRIDE_AT_30 = ClipSampling(num_frames=8, stride=8, target_fps=30)


@pytest.mark.parametrize(
    ("clip", "fps", "expected"),
    [
        (STRIDE_8X8, 25, Fraction(57)),
        (LINSPACE_8X8, 25, Fraction(64)),
        (ClipSampling(num_frames=1, stride=8), 25, Fraction(1)),
        (ClipSampling(num_frames=1, stride=8, spacing="linspace"), 25, Fraction(8)),
        (STRIDE_AT_30, 30, Fraction(57)),
        (STRIDE_AT_30, 15, Fraction(29)),
        (SLOWFAST_8X8, 25, Fraction(160, 3)),
        (SLOWFAST_8X8, NTSC, Fraction(64000, 1001)),
        (ClipSampling(num_frames=2, stride=1, spacing="linspace", target_fps=30), 5, Fraction(1)),
        (
            ClipSampling(num_frames=8, stride=5, spacing="linspace", target_fps=29.97),
            30,
            Fraction(40000, 999),
        ),
    ],
)
def test_span(clip, fps, expected):
    assert span(clip, Fraction(fps)) == expected


@pytest.mark.parametrize(
    ("start", "video_frames", "clip", "fps", "expected"),
    [
        # one frame
        (0, 1, STRIDE_8X8, 25, [0] * 8),
        (0, 1, CYCLE_8X8, 25, [0] * 8),
        (0, 1, LINSPACE_8X8, 25, [0] * 8),
        (3, 4, ClipSampling(num_frames=1, stride=8), 25, [3]),
        # exact fit
        (0, 57, STRIDE_8X8, 25, [0, 8, 16, 24, 32, 40, 48, 56]),
        (0, 57, CYCLE_8X8, 25, [0, 8, 16, 24, 32, 40, 48, 56]),
        (0, 64, LINSPACE_8X8, 25, [0, 9, 18, 27, 36, 45, 54, 63]),
        # one short of it
        (0, 56, STRIDE_8X8, 25, [0, 8, 16, 24, 32, 40, 48, 55]),
        (0, 56, CYCLE_8X8, 25, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0, 63, LINSPACE_8X8, 25, [0, 9, 18, 27, 36, 45, 54, 62]),
        (0, 20, LINSPACE_8X8, 25, [0, 9, 18, 19, 19, 19, 19, 19]),
        (0, 3, CYCLE_8X8, 25, [0, 1, 2, 0, 1, 2, 0, 1]),
        # long
        (122, 300, STRIDE_8X8, 25, [122, 130, 138, 146, 154, 162, 170, 178]),
        (236, 300, LINSPACE_8X8, 25, [236, 245, 254, 263, 272, 281, 290, 299]),
        # 25 fps shown at 30: steps of 8 * 5/6 = 20/3 frames
        (0, 250, STRIDE_AT_30, 25, [0, 6, 13, 20, 26, 33, 40, 46]),
        # 160/3 frames, steps of 157/21 = 7.476...
        (5, 250, SLOWFAST_8X8, 25, [5, 12, 19, 27, 34, 42, 49, 57]),
        # NTSC: steps of 8 * 1000/1001 = 7.992..., and of (64000/1001 - 1) / 7 = 8.990...
        (10, 300, STRIDE_AT_30, NTSC, [10, 17, 25, 33, 41, 49, 57, 65]),
        (10, 300, SLOWFAST_8X8, NTSC, [10, 18, 27, 36, 45, 54, 63, 72]),
        # 60 fps shown at 30: every 16th
        (0, 113, STRIDE_AT_30, 60, [0, 16, 32, 48, 64, 80, 96, 112]),
    ],
)
def test_clip_indices(start, video_frames, clip, fps, expected):
    assert clip_indices(start, video_frames, clip, Fraction(fps)) == expected


@pytest.mark.parametrize(
    ("video_frames", "clip", "fps", "expected"),
    [
        (1, STRIDE_8X8, 25, 1),
        (56, STRIDE_8X8, 25, 1),
        (57, STRIDE_8X8, 25, 1),
        (58, STRIDE_8X8, 25, 2),
        (300, STRIDE_8X8, 25, 244),
        (300, LINSPACE_8X8, 25, 237),
        (54, SLOWFAST_8X8, 25, 1),  # 53.3 frames: no second start fits
        (55, SLOWFAST_8X8, 25, 2),
        (300, SLOWFAST_8X8, NTSC, 237),
    ],
)
def test_num_starts(video_frames, clip, fps, expected):
    assert num_starts(video_frames, clip, Fraction(fps)) == expected


@pytest.mark.parametrize(
    ("video_frames", "views", "expected"),
    [
        # SLOW_4x16: of 300 frames, delta = 300 - 64 = 236, view 3 of 10 starts at 70.8, whose
        # fraction is dropped; from there steps of (64 - 1) / 3 = 21.
        (300, 10, [70, 91, 112, 133]),
        # 250 frames: delta = 186, view 3 at 55.8.
        (250, 10, [55, 76, 97, 118]),
        # 50 frames: no room, past the end the last frame.
        (50, 10, [0, 21, 42, 49]),
    ],
)
def test_frames_of_slowfasts_slow_4x16(video_frames, views, expected):
    clip = ClipSampling(num_frames=4, stride=16, spacing="linspace", target_fps=30)
    start = view_starts(views, video_frames, clip, 30)[3]
    assert clip_indices(start, video_frames, clip, 30) == expected


def test_centre_start_is_that_of_the_glore_repository():
    for n in range(1, 400):
        expected = max(0, math.ceil((n - 57) / 2))
        assert centre_start(n, STRIDE_8X8, Fraction(25)) == expected
    assert centre_start(300, STRIDE_8X8, Fraction(25)) == 122
    assert centre_start(54, SLOWFAST_8X8, Fraction(25)) == 0


@pytest.mark.parametrize(
    ("num_views", "video_frames", "clip", "fps", "spacing", "expected"),
    [
        (10, 300, LINSPACE_8X8, 30, "slowfast", [0, 23, 47, 70, 94, 118, 141, 165, 188, 212]),
        (3, 300, LINSPACE_8X8, 30, "ends", [0, 118, 236]),
        (10, 66, LINSPACE_8X8, 30, "ends", [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]),
        (2, 300, STRIDE_8X8, 30, "slowfast", [0, 121]),
        (4, 300, SLOWFAST_8X8, 25, "slowfast", [0, 61, 123, 185]),
        (1, 300, STRIDE_8X8, 30, "slowfast", [122]),
        (1, 300, STRIDE_8X8, 30, "ends", [122]),
        (3, 40, STRIDE_8X8, 30, "slowfast", [0, 0, 0]),
        (3, 40, STRIDE_8X8, 30, "ends", [0, 0, 0]),
        (2, 1, CYCLE_8X8, 30, "ends", [0, 0]),
    ],
)
def test_view_starts(num_views, video_frames, clip, fps, spacing, expected):
    starts = view_starts(num_views, video_frames, clip, Fraction(fps), spacing=spacing)
    assert starts == expected


def slowfast_indices(view, num_views, video_frames, num_frames, stride, fps, target_fps):
    """SlowFast's decoder.py, in its floating point numbers, with a whole start."""
    size = max(1.0, stride * num_frames / target_fps * fps)
    # Half a millionth of a frame stands between a whole number and its rounding error.
    start = math.floor(max(video_frames - size, 0) * view / num_views + 5e-7)
    step = (size - 1) / (num_frames - 1)
    positions = (start + i * step + 5e-7 for i in range(num_frames))
    return [int(min(max(p, 0), video_frames - 1)) for p in positions]


@example(view=2, video_frames=149, num_frames=31, stride=4, fps=Fraction(30))
@given(
    view=st.integers(0, 9),
    video_frames=st.integers(1, 1000),
    num_frames=st.integers(2, 64),
    stride=st.integers(1, 16),
    fps=st.sampled_from([Fraction(25), Fraction(30), NTSC, Fraction(60), Fraction(12)]),
)
def test_linspace_is_slowfasts_rule(view, video_frames, num_frames, stride, fps):
    clip = ClipSampling(num_frames=num_frames, stride=stride, spacing="linspace", target_fps=30)
    start = view_starts(10, video_frames, clip, fps)[view]
    expected = slowfast_indices(view, 10, video_frames, num_frames, stride, float(fps), 30)
    assert clip_indices(start, video_frames, clip, fps) == expected


@given(
    data=st.data(),
    video_frames=st.integers(1, 300),
    num_frames=st.integers(1, 40),
    stride=st.integers(1, 20),
    spacing=st.sampled_from(["stride", "linspace"]),
    target_fps=st.sampled_from([None, 24, 30, 29.97]),
    short_video=st.sampled_from(["repeat_last", "cycle"]),
)
def test_clips_stay_inside_the_video(
    data, video_frames, num_frames, stride, spacing, target_fps, short_video
):
    clip = ClipSampling(
        num_frames=num_frames,
        stride=stride,
        spacing=spacing,
        target_fps=target_fps,
        short_video=short_video,
    )
    starts = num_starts(video_frames, clip, NTSC)
    start = data.draw(st.integers(0, starts - 1))
    indices = clip_indices(start, video_frames, clip, NTSC)
    assert len(indices) == num_frames
    assert all(0 <= i < video_frames for i in indices)
    if starts > 1:
        assert indices == sorted(indices)
        assert indices[0] == start
    for how in ("slowfast", "ends"):
        views = view_starts(10, video_frames, clip, NTSC, spacing=how)
        assert views == sorted(views)
        assert views[0] == 0
        assert views[-1] < starts
    assert view_starts(10, video_frames, clip, NTSC, spacing="ends")[-1] == starts - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"target_fps": 0}, "target_fps must be above 0, or None, got 0"),
        ({"target_fps": float("nan")}, "target_fps must be above 0, or None, got nan"),
        ({"spacing": "even"}, "spacing must be one of 'stride', 'linspace', got 'even'"),
        ({"short_video": "loop"}, "short_video must be one of 'repeat_last', 'cycle', got 'loop'"),
    ],
)
def test_clip_sampling_rejects(changes, message):
    with pytest.raises(ValueError, match=message):
        ClipSampling(**({"num_frames": 8, "stride": 8} | changes))


def test_functions_reject():
    fps = Fraction(30)
    with pytest.raises(ValueError, match="video_frames must be at least 1, got 0"):
        num_starts(0, STRIDE_8X8, fps)
    with pytest.raises(ValueError, match="video_frames must be at least 1, got 0"):
        clip_indices(0, 0, STRIDE_8X8, fps)
    with pytest.raises(ValueError, match=r"start must be in 0\.\.1 for .* 58 frames, got 2"):
        clip_indices(2, 58, STRIDE_8X8, fps)
    with pytest.raises(ValueError, match=r"start must be in 0\.\.0 .* got -1"):
        clip_indices(-1, 10, STRIDE_8X8, fps)
    with pytest.raises(ValueError, match="fps must be above 0 when target_fps is set, got 0"):
        span(SLOWFAST_8X8, Fraction(0))
    with pytest.raises(ValueError, match="num_views must be at least 1, got 0"):
        view_starts(0, 100, STRIDE_8X8, fps)
    with pytest.raises(ValueError, match="spacing must be one of 'slowfast', 'ends', got 'x'"):
        view_starts(2, 100, STRIDE_8X8, fps, spacing="x")
