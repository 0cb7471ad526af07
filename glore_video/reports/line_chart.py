"""A line chart as a picture: values over seconds, each line with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from glore_video.reports.drawing import FAINT, INK, PALE, SERIES, canvas, text
from glore_video.reports.ticks import nice_step

_FINE = 2  # lines are drawn at twice the size and scaled down


@dataclass(frozen=True)
class _Axes:
    """Pixels of seconds from `first` to `last`, and of values from 0 to `highest`."""

    left: int
    right: int
    up: int
    down: int
    first: float
    last: float
    highest: float

    def x(self, seconds: float) -> float:
        share = (seconds - self.first) / (self.last - self.first)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.down - min(value / self.highest, 1.0) * (self.down - self.up)


def draw_lines(
    times: Sequence[float],
    lines: Sequence[Sequence[float]],
    names: Sequence[str],
    *,
    title: str,
    subtitle: str = "",
    top: float | None = None,
    percent: bool = False,
    size: tuple[int, int] = (860, 360),
) -> Image.Image:
    """Lines over seconds, from 0 up, each with its name at the side.

    Args:
        times: of the points, seconds, ascending.
        lines: for each name its values at those times.
        top: of the scale; the greatest value by default.
        percent: values in 0..1 are written as percents.
    """
    width, height = (each * _FINE for each in size)
    image, draw = canvas(width, height)
    highest = top or max((max(line) for line in lines), default=0.0) or 1.0
    axes = _Axes(
        left=56 * _FINE,
        right=width - 230 * _FINE,
        up=74 * _FINE,
        down=height - 44 * _FINE,
        first=times[0],
        last=max(times[-1], times[0] + 1e-6),
        highest=highest if top is not None else 4 * nice_step(highest / 4),
    )
    room = width - 32 * _FINE
    text(draw, (16 * _FINE, 11 * _FINE), title, size=18 * _FINE, width=room)
    text(draw, (16 * _FINE, 36 * _FINE), subtitle, size=13 * _FINE, fill=PALE, width=room)
    _draw_grid(draw, axes, percent=percent)
    places = _places_of_names(axes, [line[-1] for line in lines])
    for index in reversed(range(len(lines))):
        colour = SERIES[index % len(SERIES)]
        points = [(axes.x(t), axes.y(v)) for t, v in zip(times, lines[index], strict=True)]
        if len(points) == 1:
            points = [(axes.left, points[0][1]), (axes.right, points[0][1])]
        draw.line(points, fill=colour, width=2 * _FINE, joint="curve")
        key = (axes.right + 8 * _FINE, places[index], axes.right + 20 * _FINE, places[index])
        draw.line(key, fill=colour, width=3 * _FINE)
        text(
            draw,
            (axes.right + 26 * _FINE, places[index]),
            names[index],
            size=13 * _FINE,
            fill=INK,
            anchor="lm",
            width=width - axes.right - 34 * _FINE,
        )
    return image.resize(size, Image.Resampling.LANCZOS)


def _draw_grid(draw: ImageDraw.ImageDraw, axes: _Axes, *, percent: bool) -> None:
    size = 12 * _FINE
    for part in range(5):
        value = axes.highest * part / 4
        y = axes.y(value)
        draw.line((axes.left, y, axes.right, y), fill=FAINT, width=_FINE)
        label = f"{100 * value:.0f}%" if percent else f"{value:.2g}"
        text(draw, (axes.left - 7 * _FINE, y), label, size=size, fill=PALE, anchor="rm")
    step = nice_step((axes.last - axes.first) / 6)
    numbers = range(math.ceil(axes.first / step - 1e-9), math.floor(axes.last / step + 1e-9) + 1)
    for seconds in (number * step for number in numbers):
        place = (axes.x(seconds), axes.down + 8 * _FINE)
        text(draw, place, f"{seconds:g} s", size=size, fill=PALE, anchor="ma")


def _places_of_names(axes: _Axes, ends: Sequence[float]) -> list[float]:
    """Heights of the names: those of the lines' ends, moved apart where they would touch."""
    heights = [axes.y(value) for value in ends]
    places = [0.0] * len(heights)
    lowest = axes.up - 6.0 * _FINE
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        places[index] = lowest = max(heights[index], lowest + 17 * _FINE)
    surplus = max(0.0, lowest - axes.down)
    return [max(place - surplus, axes.up) for place in places]
