from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from glore_video.prediction import VideoPredictor
from glore_video.tasks.classification.prediction import best
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.tasks.video_classification.timeline_files import write_annotated
from glore_video.tasks.video_classification.windows import (
    Timeline,
    Window,
    consecutive_starts,
    window_bounds,
    window_clips,
    window_timeline,
)
from glore_video.video import ClipSampling, FrameTimes, open_video
from glore_video.video.writing import VideoWriter


@pytest.mark.parametrize(
    ("frames", "window", "hop", "expected"),
    [
        (10, 4, 2, [(0, 4), (2, 6), (4, 8), (6, 10)]),
        (11, 4, 2, [(0, 4), (2, 6), (4, 8), (6, 10), (7, 11)]),
        (10, 4, 20, [(0, 4), (6, 10)]),
        (4, 4, 1, [(0, 4)]),
        (3, 4, 1, [(0, 3)]),
        (1, 1, 1, [(0, 1)]),
    ],
)
def test_bounds(frames, window, hop, expected):
    assert window_bounds(frames, window, hop) == expected


def test_bounds_refuse():
    with pytest.raises(ValueError, match="hop must be at least 1, got 0"):
        window_bounds(5, 2, 0)


TWO = ClipSampling(num_frames=2, stride=3)  # covers 4 frames


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((10, 14), [[10, 13]]),
        ((10, 18), [[10, 13], [14, 17]]),
        ((10, 22), [[10, 13], [14, 17], [18, 21]]),
        ((10, 30), [[10, 13], [18, 21], [26, 29]]),  # five would fit, three are allowed
        ((10, 12), [[9, 12]]),  # shorter than a clip: around its middle
        ((0, 1), [[0, 3]]),
        ((39, 40), [[36, 39]]),
    ],
)
def test_clips(bounds, expected):
    assert window_clips(bounds, 40, TWO, 30, most=3) == expected


def test_video_shorter_than_a_clip():
    assert window_clips((0, 2), 2, TWO, 30, most=3) == [[0, 1]]


def test_consecutive_starts():
    assert consecutive_starts(12, TWO, 30, 10) == [0, 4, 8]
    assert consecutive_starts(12, TWO, 30, 2) == [0, 8]
    assert consecutive_starts(3, TWO, 30, 5) == [0]


class SquareOnTheRight(nn.Module):
    def forward(self, clips):
        half = clips.shape[-1] // 2
        clips = clips.clamp(min=0)  # the square alone
        right = clips[..., half:].flatten(1).mean(1) - clips[..., :half].flatten(1).mean(1)
        return torch.stack([-20 * right, 20 * right], 1)


def test_the_timeline_tells_when(moving_video):
    """The square is in the left half until about frame 20 of 30."""
    ready = VideoPredictor(
        network=SquareOnTheRight(),
        class_names=("left", "right"),
        views=EvalViews(
            sampling=ClipSampling(num_frames=2, stride=1),
            num_clips=2,
            short_side=48,
            crop_size=48,
            num_crops=1,
        ),
    )
    calls = []
    found = window_timeline(
        moving_video, ready, window=0.5, hop=0.5, progress=lambda *a: calls.append(a)
    )
    assert [(w.start, w.end) for w in found.windows] == [
        (0.0, 0.5),
        (0.5, 1.0),
        (1.0, 1.5),
        (1.5, 2.0),
        (2.0, 2.5),
        (2.5, 3.0),
    ]
    assert found.duration == 3.0
    assert calls[-1] == (6, 6)
    assert found.top(1.1, 1)[0][0] == "left"
    assert found.top(2.8, 1)[0][0] == "right"
    with pytest.raises(ValueError, match="window must be above 0 seconds, got -1"):
        window_timeline(moving_video, ready, window=-1)


class Bright(nn.Module):
    def forward(self, clips):
        mean = clips.flatten(1).mean(1)
        return torch.stack([-20 * mean, 20 * mean], 1)


@pytest.fixture(scope="session")
def slowing(tmp_path_factory):
    """20 s: 300 frames in the first ten seconds, dark, then 10 in the next, bright."""
    path = tmp_path_factory.mktemp("slowing") / "a.mp4"
    stamps = (*range(300), *range(300, 600, 30))
    times = FrameTimes(310, Fraction(310, 20), stamps, Fraction(1, 30))
    frames = np.full((310, 48, 48, 3), 20, dtype=np.uint8)
    frames[300:] = 220
    with VideoWriter(path, fps=times.fps, times=times) as writer:
        writer.write(frames)
    return path


@pytest.mark.parametrize("target_fps", [None, 30])
def test_events_are_told_when_they_are_shown(slowing, target_fps):
    ready = VideoPredictor(
        network=Bright(),
        class_names=("dark", "bright"),
        views=EvalViews(
            sampling=ClipSampling(num_frames=4, stride=2, target_fps=target_fps),
            num_clips=3,
            short_side=48,
            crop_size=48,
            num_crops=1,
        ),
    )
    found = window_timeline(slowing, ready, window=1.0, hop=1.0)
    # The last frame is counted as long as an average one, not the second that it is shown.
    assert found.duration == pytest.approx(19.06, abs=0.1)
    for window in found.windows:
        assert window.end - window.start == pytest.approx(1, abs=0.1)
        if window.end <= 10 or window.start >= 10:
            shown = "dark" if window.end <= 10 else "bright"
            assert best(window.probabilities, found.class_names, 1)[0][0] == shown, window


def test_a_film_of_a_variable_rate_keeps_its_times(slowing, tmp_path):
    line = Timeline(str(slowing), 19.0, ("x", "y"), (Window(0, 19, (0.1, 0.9)),))
    write_annotated(line, tmp_path / "film.mp4", k=1)
    with open_video(slowing) as video, open_video(tmp_path / "film.mp4") as film:
        assert list(film.times) == list(video.times)


def test_strongest_and_at():
    line = Timeline(
        "a", 2.0, ("x", "y", "z"), (Window(0, 1, (0.1, 0.7, 0.2)), Window(1, 2, (0.6, 0.1, 0.3)))
    )
    assert line.strongest(2) == [1, 0]
    assert line.at(0.9).start == 0
    assert line.at(1.1).start == 1
    assert line.at(5).start == 1
    assert line.top(1.6, 2) == [("x", 0.6), ("z", 0.3)]
