"""Where the lines, points and bars of a chart lie; templates/parts.html draws them as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Any

from glore_video.statistics.calibration import Bin
from glore_video.tasks.classification.view_curve import CurvePoint

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 428, 24, 250


@dataclass(kw_only=True)
class Plot:
    """All coordinates in pixels, from the upper left corner."""

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


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from at or below low to at or above high, about `most` of them."""
    span = max(high - low, 1e-9)
    size = 10 ** floor(log10(span / most))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= most)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: round(start + (end - start) * (value - low) / (high - low), 1)


def views_chart(points: Sequence[CurvePoint]) -> Plot:
    """Top-1 by the number of clips, a line for each number of crops."""
    ends = [end for point in points for end in point.interval]
    y_values = round_ticks(min(ends), max(ends) if max(ends) > min(ends) else min(ends) + 1, 6)
    clips = sorted({point.clips for point in points})
    x = _scale(min(clips) - 0.5, max(clips) + 0.5, LEFT, RIGHT)
    y = _scale(y_values[0], y_values[-1], BOTTOM, TOP)
    plot = Plot(
        title="video top-1 by the number of clips",
        x_label="clips a video",
        y_label="top-1, %",
        x_ticks=[(x(number), str(number)) for number in clips],
        y_ticks=[(y(value), f"{value:g}") for value in y_values],
    )
    for aside, crops in enumerate(sorted({point.crops for point in points}, reverse=True)):
        own = [point for point in points if point.crops == crops]
        plot.series.append(
            {
                "name": "3 crops" if crops == 3 else "1 crop, the middle one",
                "path": "M" + " L".join(f"{x(p.clips) + 3 * aside} {y(p.top1)}" for p in own),
                "points": [
                    {
                        "x": x(p.clips) + 3 * aside,  # ranges do not hide one another
                        "y": y(p.top1),
                        "low": y(p.interval[0]),
                        "high": y(p.interval[1]),
                        "hollow": not p.exact,
                        "title": f"{p.clips} x {p.crops}: {p.top1:.2f}%, "
                        f"95%: {p.interval[0]:.2f} to {p.interval[1]:.2f}",
                    }
                    for p in own
                ],
            }
        )
    return plot


def reliability_chart(bins: Sequence[Bin]) -> Plot:
    """Accuracy by confidence as bars, the darker the more videos."""
    x, y = _scale(0, 1, LEFT, RIGHT), _scale(0, 1, BOTTOM, TOP)
    plot = Plot(
        title="accuracy by confidence",
        x_label="probability of the predicted class, %",
        y_label="accuracy, %",
        x_ticks=[(x(n / 5), str(20 * n)) for n in range(6)],
        y_ticks=[(y(n / 5), str(20 * n)) for n in range(6)],
        ideal=f"M{x(0)} {y(0)} L{x(1)} {y(1)}",
    )
    most = max((each.videos for each in bins), default=1)
    for each in bins:
        plot.bars.append(
            {
                "x": round(x(each.low) + 1, 1),
                "width": round(x(each.high) - x(each.low) - 2, 1),
                "y": y(each.accuracy),
                "height": round(max(1.5, BOTTOM - y(each.accuracy)), 1),
                "opacity": round(0.3 + 0.7 * (each.videos / most) ** 0.5, 2),
                "title": f"{100 * each.low:.0f} to {100 * each.high:.0f}%: {each.videos} videos, "
                f"mean probability {100 * each.confidence:.1f}%, "
                f"accuracy {100 * each.accuracy:.1f}%",
            }
        )
    return plot
