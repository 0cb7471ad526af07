"""Predictions for pictures that come one after the other, as from a camera."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import torch

from glore_video.pixels.transforms import resize_short_side
from glore_video.tasks.video_classification.clip_predictor import ClipPredictor
from glore_video.tasks.video_classification.dataset import VideoViews
from glore_video.video import span


def watch(
    frames: Iterable[tuple[float, np.ndarray]],
    predictor: ClipPredictor,
    *,
    fps: Fraction,
    every: float = 1.0,
    k: int = 5,
) -> Iterator[tuple[float, list[tuple[str, float]]]]:
    """The latest clip's prediction, again and again.

    Frames are chosen by their times, so it does no harm if a camera drops some.

    Args:
        frames: (seconds, uint8 (height, width, 3)), seconds ascending.
        predictor: the network; it sees one centre view.
        fps: frames a second of the source, for the clip's length.
        every: least seconds from one prediction to the next.
        k: how many classes.

    Yields:
        Seconds, and the k most probable (class name, probability). The first when a whole clip has
        been seen.
    """
    length = float(
        (span(predictor.views.sampling, fps) - 1) / fps
    )  # from a clip's first frame to its last
    count = predictor.views.sampling.num_frames
    tolerance = 0.5 / float(fps)
    kept: deque[tuple[float, torch.Tensor]] = deque()
    spoken = -np.inf
    for seconds, picture in frames:
        small = resize_short_side(torch.from_numpy(picture)[None], predictor.views.short_side)[0]
        kept.append((seconds, small))
        while len(kept) > 1 and kept[1][0] <= seconds - length + tolerance:
            kept.popleft()
        whole = seconds - kept[0][0] >= length - tolerance
        if not whole or seconds - spoken < every - 1e-6:
            continue
        spoken = seconds
        times = [time for time, _ in kept]
        wanted = [seconds - length + length * i / max(1, count - 1) for i in range(count)]
        clip = torch.stack([kept[_nearest(times, time)][1] for time in wanted])
        views = VideoViews.cut(
            clip, [range(count)], num_crops=1, crop_size=predictor.views.crop_size
        )
        yield seconds, predictor.prediction_of(views, "the camera").top(k)


def _nearest(times: list[float], wanted: float) -> int:
    place = bisect_left(times, wanted)
    if place == 0:
        return 0
    if place == len(times):
        return place - 1
    return place if times[place] - wanted < wanted - times[place - 1] else place - 1
