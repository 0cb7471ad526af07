"""Sliding windows over a long video: what happens when."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from glore_video.errors import UsageError
from glore_video.tasks.classification.prediction import best, probabilities_of
from glore_video.tasks.video_classification.clip_predictor import ClipPredictor
from glore_video.tasks.video_classification.dataset import VideoViews
from glore_video.video import (
    ClipSampling,
    Playback,
    clip_indices,
    open_video,
    playback,
    span,
    view_starts,
)
from glore_video.video.reader import VideoReader


@dataclass(frozen=True)
class Window:
    """Probabilities by label, from `start` to `end`, seconds."""

    start: float
    end: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Timeline:
    """What happens when in a video of `duration` seconds; the windows by their start."""

    path: str
    duration: float
    class_names: tuple[str, ...]
    windows: tuple[Window, ...]

    def strongest(self, k: int = 5) -> list[int]:
        """Labels of the k classes that are most probable over all windows together."""
        sums = [
            sum(column) for column in zip(*(w.probabilities for w in self.windows), strict=True)
        ]
        return sorted(range(len(sums)), key=lambda label: -sums[label])[:k]

    def at(self, seconds: float) -> Window:
        """The window whose middle is nearest to a time."""
        return min(self.windows, key=lambda w: abs((w.start + w.end) / 2 - seconds))

    def top(self, seconds: float, k: int) -> list[tuple[str, float]]:
        """The k most probable (class name, probability) at a time."""
        return best(self.at(seconds).probabilities, self.class_names, k)


def window_bounds(num_frames: int, window: int, hop: int) -> list[tuple[int, int]]:
    """First frame and frame after the last of each window; the last ends with the video.

    Frames as they are counted at a constant rate, see `FrameTimes.played_at`.

    Raises ValueError unless all three are at least 1.
    """
    for name, value in (("num_frames", num_frames), ("window", window), ("hop", hop)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}")
    if window >= num_frames:
        return [(0, num_frames)]
    starts = [*range(0, num_frames - window, hop), num_frames - window]
    return [(start, start + window) for start in starts]


def window_clips(
    bounds: tuple[int, int],
    num_frames: int,
    sampling: ClipSampling,
    fps: Fraction | int,
    *,
    most: int,
) -> list[list[int]]:
    """Frames of the clips that stand for one window: end to end, at most `most`.

    A window that is shorter than a clip has one clip, around its middle, as far as the video goes.
    """
    first, end = bounds
    covered = ceil(span(sampling, fps))
    if end - first < covered:
        length = min(covered, num_frames)
        first = min(max(0, (first + end - length) // 2), num_frames - length)
        end = first + length
    count = min(most, max(1, round((end - first) / covered)))
    starts = view_starts(count, end - first, sampling, fps, spacing="ends")
    return [
        [first + index for index in clip_indices(start, end - first, sampling, fps)]
        for start in starts
    ]


def clip_seconds(sampling: ClipSampling, fps: Fraction) -> float:
    return float(span(sampling, fps) / fps)


def window_timeline(
    path: str | os.PathLike[str],
    predictor: ClipPredictor,
    *,
    window: float = 0.0,
    hop: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Timeline:
    """Slide a window over a video. Memory is that of one window, however long the video is.

    Args:
        path: video file.
        predictor: the network; its num_clips is the most clips that a window is given.
        window: seconds; by default the length of a clip, or more where there would be more than 60
            windows.
        hop: seconds from one window to the next; half a window by default.
        progress: called with the number of windows done and that of all.

    Raises:
        VideoError: if the video can't be read.
        ValueError: for a negative window or hop, or if the network's scores are not finite.
    """
    for name, value in (("window", window), ("hop", hop)):
        if value < 0:
            raise UsageError(f"{name} must be above 0 seconds, got {value:g}")
    with open_video(
        path, backend=predictor.views.backend, damaged=predictor.views.damaged
    ) as video:
        clip = playback(video.times, predictor.views.sampling)
        film = video.times.played_at(clip.fps)
        duration = float(video.times.duration)
        seconds = window or max(clip_seconds(predictor.views.sampling, clip.fps), duration / 30)
        size = max(1, round(seconds * film.fps))
        step = max(1, round(hop * film.fps) if hop else size // 2)
        bounds = window_bounds(len(film), size, step)
        windows = []
        for number, each in enumerate(bounds, start=1):
            # Clips may count other frames: those of a video without a constant rate, one by one.
            start, last, end = (film.seconds(place) for place in (each[0], each[1] - 1, each[1]))
            places = (clip.place(start), clip.place(last) + 1)
            views = _views(video, clip, places, predictor)
            what = f"{os.fspath(path)}, {float(start):.1f} to {float(end):.1f} s"
            probabilities = probabilities_of(predictor.logits(views), what)
            windows.append(Window(float(start), float(end), probabilities))
            if progress is not None:
                progress(number, len(bounds))
    return Timeline(os.fspath(path), duration, predictor.class_names, tuple(windows))


def _views(
    video: VideoReader, played: Playback, bounds: tuple[int, int], predictor: ClipPredictor
) -> VideoViews:
    clips = window_clips(
        bounds, len(played), predictor.views.sampling, played.fps, most=predictor.views.num_clips
    )
    return VideoViews.read(
        video,
        [played.frames(clip) for clip in clips],
        num_crops=predictor.views.num_crops,
        short_side=predictor.views.short_side,
        crop_size=predictor.views.crop_size,
    )


def consecutive_starts(
    num_frames: int, sampling: ClipSampling, fps: Fraction, most: int
) -> list[int]:
    """Starts of clips that cover a video end to end, or evenly where `most` are fewer."""
    covered = max(1, floor(span(sampling, fps)))
    count = max(1, min(most, ceil(num_frames / covered)))
    return view_starts(count, num_frames, sampling, fps, spacing="ends")
