"""Bootstrap intervals: how far a figure moves when what it was measured on is drawn anew.

A bootstrap sample draws as many observations (videos, pictures) as there are, with replacement.
What counts of a sample is how often each distinct value is in it, and these counts are multinomial:
they are drawn at once, which is the same distribution as drawing observations one by one, for a
fraction of the time.

Where all observations have the same value all samples are alike, and their interval would be a
point. That n of them are all alike is still likely (in one of 40 tests) where a share of
1 - 0.025 ** (1 / n) of all there are is not, so the interval reaches as far as such a share could
move the mean. For right or wrong this is the exact interval of a binomial (Clopper and Pearson
1934).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np

from glore_video.errors import UsageError
from glore_video.statistics.significance import student_t_quantile

LEVEL = 0.95
SAMPLES = 10_000

_CHUNK_COUNTS = 2_000_000


def mean_interval(
    values: np.ndarray,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = LEVEL,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean of observations; (NaN, NaN) without any.

    Args:
        values: real (observations,), for instance 100 where the prediction is right and 0
            elsewhere, or the difference of two runs.
        bounds: least and greatest value that an observation can have. Without them the interval of
            values that are all alike is a point.
        level: share of the samples inside.
    """
    check_bootstrap(level, samples)
    if values.ndim != 1:
        raise UsageError(f"values must be one an observation, got shape {values.shape}")
    if not len(values):
        return float("nan"), float("nan")
    if bounds is not None and np.all(values == values[0]):
        return interval_of_alike(float(values[0]), bounds, len(values), level)
    means = bootstrap_means(values, samples=samples, seed=seed)
    return percentiles(means, level)


def percent_interval(shares: np.ndarray, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the mean of one share in 0..1 an observation, in percent."""
    return mean_interval(100.0 * shares, bounds=(0.0, 100.0), level=level)


def runs_interval(right: np.ndarray, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the mean accuracy of several runs, such as seeds, on the same test, in percent.

    The outer ends of two: Student's t over the runs' accuracies, which stands for training again (of
    few runs it may say nothing, when all happen to give the same), and the bootstrap over
    observations, which stands for testing on others. Of one run it is the latter.

    Args:
        right: bool (runs, observations).
    """
    low, high = percent_interval(right.mean(axis=0), level=level)
    if not right.shape[1]:
        return low, high
    return widened_by_runs((low, high), 100.0 * right.mean(axis=1), level=level)


def widened_by_runs(
    interval: tuple[float, float], figures: np.ndarray, *, level: float = LEVEL
) -> tuple[float, float]:
    """The outer ends of an interval and of Student's t over runs; within 0 to 100.

    Args:
        interval: of the mean of the runs, as testing them on other samples would give.
        figures: of each run, in percent; of one run the interval stays as it is.
    """
    low, high = interval
    if len(figures) < 2:
        return low, high
    mean = float(figures.mean())
    error = float(figures.std(ddof=1)) / sqrt(len(figures))
    reach = student_t_quantile(level, len(figures) - 1) * error
    return min(low, max(0.0, mean - reach)), max(high, min(100.0, mean + reach))


def bootstrap_means(values: np.ndarray, *, samples: int, seed: int) -> np.ndarray:
    """Means of bootstrap samples, float64 (samples,)."""
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    drawn = resampled(counts, samples, np.random.default_rng(seed))
    return np.concatenate([part @ distinct for part in drawn]) / len(values)


def class_mean_interval(
    right: np.ndarray,
    labels: np.ndarray,
    *,
    level: float = LEVEL,
    samples: int = 2_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean class accuracy, in percent; (NaN, NaN) without any.

    Classes that a sample misses are left out of its mean. Where the observations of each class are
    all alike, the interval is as wide as that of so many alike observations as a mean over classes
    is worth (Kish's effective number; all of them, if classes have equally many).

    Args:
        right: bool (observations,).
        labels: int64 (observations,).
    """
    check_bootstrap(level, samples)
    if not len(labels):
        return float("nan"), float("nan")
    present, places = np.unique(labels, return_inverse=True)
    counts = np.bincount(2 * places + right.astype(np.int64), minlength=2 * len(present))
    means = []
    for part in resampled(counts, samples, np.random.default_rng(seed)):
        wrong_right = part.reshape(len(part), len(present), 2)  # (samples, classes, wrong or right)
        totals = wrong_right.sum(axis=2)
        shares = wrong_right[:, :, 1] / np.maximum(totals, 1)
        means.append(100 * shares.sum(axis=1) / (totals > 0).sum(axis=1))
    low, high = percentiles(np.concatenate(means), level)
    of_class = np.bincount(places)
    shares = counts[1::2] / of_class
    if np.isin(shares, (0, 1)).all():
        worth = len(present) ** 2 / float((1 / of_class).sum())
        ends = interval_of_alike(100 * float(shares.mean()), (0.0, 100.0), worth, level)
        return min(low, ends[0]), max(high, ends[1])
    return low, high


def interval_of_alike(
    value: float, bounds: tuple[float, float], count: float, level: float
) -> tuple[float, float]:
    """Interval of a mean within bounds, of `count` observations that all have this value."""
    other = 1 - ((1 - level) / 2) ** (1 / count)
    return value - other * (value - bounds[0]), value + other * (bounds[1] - value)


def resampled(counts: np.ndarray, samples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each distinct observation is in each sample, in parts (some samples, distinct)."""
    total = int(counts.sum())
    step = max(1, _CHUNK_COUNTS // len(counts))
    for start in range(0, samples, step):
        yield rng.multinomial(total, counts / total, size=min(step, samples - start))


def percentiles(means: np.ndarray, level: float) -> tuple[float, float]:
    """The ends between which the middle `level` of the means lies."""
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def check_bootstrap(level: float, samples: int) -> None:
    """Raises UsageError for a level or a number of bootstrap samples that can't be."""
    if not 0 < level < 1:
        raise UsageError(f"level must be between 0 and 1, got {level}")
    if samples < 1:
        raise UsageError(f"samples must be at least 1, got {samples}")
