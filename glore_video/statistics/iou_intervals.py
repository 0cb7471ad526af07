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
    counted = matrices.sum((1, 2)) > 0  # what is ignored as a whole says nothing
    figure = float(mean_iou(matrices[counted].sum(0)))
    if np.isnan(figure):
        return float("nan"), float("nan")
    drawn = _resampled_means(_parts(matrices[counted]), samples, seed)
    if np.ptp(drawn) <= 1e-9:
        return interval_of_alike(figure, (0.0, 100.0), int(counted.sum()), level)
    return percentiles(drawn, level)


def mean_iou_difference_interval(
    first: np.ndarray,
    second: np.ndarray,
    *,
    level: float = LEVEL,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of how much greater the second's mean IoU is, in percentage points.

    Both are of the same pictures, in the same order: each bootstrap sample draws the same for both.
    """
    check_bootstrap(level, samples)
    first, second = _checked(first), _checked(second)
    if first.shape[:2] != second.shape[:2]:
        raise UsageError(
            f"two runs are compared on the same pictures and classes, got shapes {first.shape} and "
            f"{second.shape}"
        )
    if not first.sum() or not second.sum():
        return float("nan"), float("nan")
    means = [_resampled_means(_parts(each), samples, seed) for each in (first, second)]
    return percentiles(means[1] - means[0], level)


def runs_iou_interval(
    runs: Sequence[np.ndarray],
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
    chosen = list(classes)
    parts = [_parts(_checked(matrices))[:, :, chosen] for matrices in runs]
    drawn = np.mean([_resampled_means(each, samples, seed) for each in parts], axis=0)
    figures = np.array([mean_of_known(percent(*each.sum(0))) for each in parts])
    ends = percentiles(drawn, level)
    if np.ptp(drawn) <= 1e-9:
        ends = interval_of_alike(float(figures.mean()), (0.0, 100.0), len(parts[0]), level)
    return widened_by_runs(ends, figures, level=level)


def _checked(matrices: np.ndarray) -> np.ndarray:
    if matrices.ndim != 3:
        raise UsageError(f"matrices must be (pictures, classes, columns), got {matrices.shape}")
    return np.asarray(matrices, dtype=np.float64)


def _parts(matrices: np.ndarray) -> np.ndarray:
    """What an IoU is made of, of each picture: intersections and unions, (pictures, 2, classes)."""
    classes = matrices.shape[1]
    both = np.diagonal(matrices, axis1=1, axis2=2)
    either = matrices.sum(2) + matrices[:, :, :classes].sum(1) - both
    return np.stack([both, either], axis=1)


def _resampled_means(parts: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Mean IoU of each bootstrap sample, float64 (samples,)."""
    flat = parts.reshape(len(parts), -1)
    means = []
    for counts in resampled(np.ones(len(parts)), samples, np.random.default_rng(seed)):
        both, either = np.moveaxis((counts @ flat).reshape(len(counts), 2, -1), 1, 0)
        means.append(mean_of_known(percent(both, either)))
    return np.concatenate(means)
