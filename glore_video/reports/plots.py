"""A plot in a page: where its lines, points and bars lie. templates/parts.html draws it as SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 428, 24, 250


@dataclass(kw_only=True)
class Plot:
    """All coordinates in pixels, from the upper left corner.

    Attributes:
        x_ticks, y_ticks: (place, text).
        series: each with a name, a path of SVG, and points (x, y, low, high, hollow, title).
        bars: each with x, y, width, height, opacity, title.
        ideal: the path of a dashed line.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    series: list[dict[str, Any]] = field(default_factory=list)
    bars: list[dict[str, Any]] = field(default_factory=list)
    ideal: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From values, low to high, to pixels, start to end, to a tenth of a pixel."""
    return lambda value: round(start + (end - start) * (value - low) / (high - low), 1)
