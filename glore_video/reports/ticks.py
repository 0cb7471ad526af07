"""Ticks of axes: round numbers, 1, 2 or 5 times a power of ten apart."""

from __future__ import annotations

from math import ceil, floor, log10


def nice_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least so much."""
    least = max(least, 1e-9)
    power = 10.0 ** floor(log10(least))
    return next(power * f for f in (1, 2, 5, 10) if power * f >= least * (1 - 1e-9))


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from at or below low to at or above high, about `most` of them."""
    step = nice_step((high - low) / most)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]
