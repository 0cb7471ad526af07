"""Bootstrap intervals of the mean intersection over union, resampled by pictures.

The pixels of a picture hang together, so that pictures are what is drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glore_video.errors import UsageError
from glore_video.statistics.confusion import mean_iou, mean_of_known, percent
from glore_video.statistics.intervals import (
    LEVEL,
    check_bootstrap,
    interval_of_alike,
    percentiles,
    resampled,
    widened_by_runs,
)

SAMPLES = 2_000


def mean_iou_interval(
    matrices: np.ndarray, *, level: float = LEVEL, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean IoU of a data set, in percent; (NaN, NaN) without any.

    Classes that a bootstrap sample misses are left out of its mean. Where all pictures have the same
    shares the interval is that of so many alike observations, see statistics.intervals.

    Args:
        matrices: (pictures, classes, columns), see statistics.confusion.
    """
    check_bootstrap(level, samples)
    matrices = _checked(matrices)
    parts = _parts(matrices)
    parts = parts[parts[:, 1].sum(1) > 0]  # what is ignored as a whole says nothing
    figure = float(mean_iou(matrices.sum(0, dtype=np.float64)))
    if np.isnan(figure):
        return float("nan"), float("nan")
    drawn = _resampled_means(parts, samples, seed)
    if np.ptp(drawn) <= 1e-9:
        return interval_of_alike(figure, (0.0, 100.0), len(parts), level)
    return percentiles(drawn, level)


def iou_difference_intervals(
    first: np.ndarray,
    second: np.ndarray,
    *,
    level: float = LEVEL,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[tuple[float, float], np.ndarray]:
    """Percentile intervals of how much greater the second's mean IoU, and its IoU of each class, is.

    In percentage points. A side is one run or several, such as seeds, of which the mean counts; all are
    of the same pictures, in the same order, and each bootstrap sample draws the same for all. Where no
    draw changes the difference, its interval is that of so many alike observations.

    Args:
        first, second: (runs, pictures, classes, columns), see statistics.confusion.

    Returns the interval of the mean IoU, and those of the classes, float64 (classes, 2), NaN for a class
    that occurs in no run.
    """
    check_bootstrap(level, samples)
    if first.ndim != 4 or second.ndim != 4 or first.shape[1:3] != second.shape[1:3]:
        raise UsageError(
            f"two runs are compared on the same pictures and classes, got shapes {first.shape} and "
            f"{second.shape}"
        )
    classes = first.shape[2]
    runs = np.stack([_parts(run) for run in (*first, *second)], axis=1)
    runs = runs[runs[:, :, 1].sum((1, 2)) > 0]  # what is ignored as a whole says nothing
    if not runs[:, :, 1].sum((0, 2)).all():
        return (float("nan"), float("nan")), np.full((classes, 2), np.nan)
    ious = _resampled_ious(runs, samples, seed)  # (samples, runs, classes)
    means = _second_less_first(mean_of_known(ious), len(first))
    overall = percentiles(means, level)
    if np.ptp(means) <= 1e-9:
        overall = interval_of_alike(float(means[0]), (-100.0, 100.0), len(runs), level)
    by_class = np.full((classes, 2), np.nan)
    for number in range(classes):
        changes = _second_less_first(ious[:, :, number], len(first))
        if len(known := changes[~np.isnan(changes)]):
            by_class[number] = percentiles(known, level)
    return overall, by_class


def _second_less_first(values: np.ndarray, runs: int) -> np.ndarray:
    """Of values (samples, runs of both sides): the mean of those behind the first so many less theirs."""
    return values[:, runs:].mean(1) - values[:, :runs].mean(1)


def runs_iou_interval(
    runs: np.ndarray | Sequence[np.ndarray],
    classes: Sequence[int],
    *,
    level: float = LEVEL,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the mean IoU of some classes over several runs on the same pictures, in percent.

    The outer ends of two, as `runs_interval` has them: Student's t over the runs, and the bootstrap over
    pictures, of which each sample draws the same for all runs.

    Args:
        runs: of each (pictures, classes, columns), see statistics.confusion.
        classes: their places; of the others the pixels count where they are taken for these.
    """
    check_bootstrap(level, samples)
    # (pictures, runs, intersection and union, chosen classes)
    parts = np.stack([_parts(matrices) for matrices in runs], axis=1)[..., list(classes)]
    drawn = mean_of_known(_resampled_ious(parts, samples, seed)).mean(1)
    both, either = np.moveaxis(parts.sum(0), 1, 0)  # (runs, chosen classes)
    figures = mean_of_known(percent(both, either))
    ends = percentiles(drawn, level)
    if np.ptp(drawn) <= 1e-9:
        ends = interval_of_alike(float(figures.mean()), (0.0, 100.0), len(parts), level)
    return widened_by_runs(ends, figures, level=level)


def _checked(matrices: np.ndarray) -> np.ndarray:
    if matrices.ndim != 3:
        raise UsageError(f"matrices must be (pictures, classes, columns), got {matrices.shape}")
    return matrices


def _parts(matrices: np.ndarray) -> np.ndarray:
    """What an IoU is made of, of each picture: intersections and unions, float64 (pictures, 2, classes).

    The matrices, which may be large, are not copied.
    """
    classes = matrices.shape[1]
    both = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    rows = matrices.sum(2, dtype=np.float64)
    either = rows + matrices[:, :, :classes].sum(1, dtype=np.float64) - both
    return np.stack([both, either], axis=1)


def _resampled_means(parts: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Mean IoU of each bootstrap sample, float64 (samples,)."""
    return mean_of_known(_resampled_ious(parts, samples, seed))


def _resampled_ious(parts: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """IoU of each class in each bootstrap sample, float64 (samples, ..., classes).

    Args:
        parts: (pictures, ..., 2, classes), see `_parts`.
    """
    flat = parts.reshape(len(parts), -1)
    ious = []
    for counts in resampled(np.ones(len(parts)), samples, np.random.default_rng(seed)):
        both, either = np.moveaxis((counts @ flat).reshape(len(counts), *parts.shape[1:]), -2, 0)
        ious.append(percent(both, either))
    return np.concatenate(ious)
