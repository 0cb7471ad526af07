"""Tests of whether a difference is more than chance, and corrections for making many of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, cos, pi, sin, sqrt

import numpy as np

from glore_video.errors import UsageError


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test.

    Args:
        only_first, only_second: what only the one or only the other run has right. Without a true
            difference each of them falls to either side like a fair coin (McNemar 1947; the exact
            form is the binomial sign test).
    """
    for count in (only_first, only_second):
        if count < 0:
            raise UsageError(f"counts must be at least 0, got {only_first} and {only_second}")
    total = only_first + only_second
    term = tail = 1
    for k in range(1, min(only_first, only_second) + 1):
        term = term * (total - k + 1) // k  # total choose k
        tail += term
    return min(1.0, 2 * tail / 2**total)  # whole numbers of any size, rounded once


def student_t(t: float, degrees: int) -> float:
    """Two-sided p of Student's t for a whole number of degrees of freedom.

    The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4; good to about 1e-15.
    """
    if degrees < 1:
        raise UsageError(f"degrees of freedom must be at least 1, got {degrees}")
    angle = atan(abs(t) / sqrt(degrees))
    odd = degrees % 2
    term = cos(angle) if odd else 1.0
    total = 0.0
    for k in range(odd + 1, degrees, 2):
        total += term
        term *= cos(angle) ** 2 * k / (k + 1)
    inside = 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return min(1.0, max(0.0, 1 - inside))


def student_t_quantile(level: float, degrees: int) -> float:
    """The t that Student's distribution stays within, on both sides, with probability `level`."""
    if not 0 < level < 1:
        raise UsageError(f"level must be between 0 and 1, got {level}")
    low, high = 0.0, 1.0
    while student_t(high, degrees) > 1 - level:
        low, high = high, 2 * high
    for _ in range(60):  # bisection, to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if student_t(middle, degrees) > 1 - level else (low, middle)
    return high


def paired_t(differences: Sequence[float]) -> float:
    """Two-sided p of Student's test that the mean of at least two differences is 0.

    Differences of accuracies come in steps, so a few may be all the same by chance: then the t is
    infinite and says nothing, and p is that of their signs alone, 2 / 2**count (1 if they are 0).
    """
    count = len(differences)
    if count < 2:
        raise UsageError(f"at least two differences are needed, got {count}")
    values = np.asarray(differences, dtype=np.float64)
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return 1.0 if abs(mean) <= 1e-12 else 2.0 / 2**count
    return student_t(mean / (spread / sqrt(count)), count - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values: below 0.05 holds for all true ones together in 95 of 100 cases (Holm 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return adjusted.tolist()


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p values: of those below 0.05 about 1 in 20 is by chance (Benjamini, Hochberg 1995)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    factors = len(values) / np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(values[order] * factors))
    return adjusted.tolist()
