"""Charts: an adjacency matrix, and lines over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from glore_video.inspection.drawing import (
    FAINT,
    INK,
    PALE,
    SERIES,
    canvas,
    font,
    scaled,
    text,
)
from glore_video.inspection.overlay import diverging

_FINE = 2  # lines are drawn at twice the size and scaled down


def draw_adjacency(matrix: Tensor, *, title: str, size: int = 512) -> Image.Image:
    """I + A as a heat map; row i: what node i takes from the others.

    Colours reach their end at the 99th percentile of the entries off the diagonal, beside which the
    diagonal, near 1, would leave nothing to see.
    """
    values = matrix.numpy()
    nodes = len(values)
    off = np.abs(values[~np.eye(nodes, dtype=bool)])
    limit = float(np.percentile(off, 99)) if off.size else 1.0
    limit = limit or 1.0
    cell = max(1, round(size / nodes))
    side, left, top = nodes * cell, 62, 74
    image, draw = canvas(left + side + 96, top + side + 46)
    text(draw, (16, 11), title, size=18, width=image.width - 32)
    text(
        draw,
        (16, 36),
        f"I + A: row takes from column; colours end at {limit:.2g}",
        size=13,
        fill=PALE,
    )
    image.paste(scaled(diverging(values / limit), side, side, smooth=False), (left, top))
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=PALE)
    every = max(1, int(_nice_step(max(1.0, nodes / 8))))
    for node in range(0, nodes, every):
        middle = (node + 0.5) * cell
        text(draw, (left - 7, top + middle), str(node), size=12, fill=PALE, anchor="rm")
        text(draw, (left + middle, top + side + 6), str(node), size=12, fill=PALE, anchor="ma")
    text(draw, (left + side / 2, top + side + 26), "node", size=12, fill=PALE, anchor="ma")
    ramp = np.repeat(np.linspace(1, -1, 120)[:, None], 14, axis=1)
    image.paste(Image.fromarray(diverging(ramp)), (left + side + 20, top))
    for share, value in ((0, limit), (60, 0.0), (119, -limit)):
        text(draw, (left + side + 40, top + share), f"{value:.2g}", size=12, fill=PALE, anchor="lm")
    return image


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
    left, right, up, down = 56 * _FINE, width - 230 * _FINE, 74 * _FINE, height - 44 * _FINE
    highest = top or max((max(line) for line in lines), default=0.0) or 1.0
    if top is None:
        highest = 4 * _nice_step(highest / 4)
    first, last = times[0], max(times[-1], times[0] + 1e-6)

    def x(seconds: float) -> float:
        return left + (seconds - first) / (last - first) * (right - left)

    def y(value: float) -> float:
        return down - min(value / highest, 1.0) * (down - up)

    small, tiny = 13 * _FINE, 12 * _FINE
    text(draw, (16 * _FINE, 11 * _FINE), title, size=18 * _FINE, width=width - 32 * _FINE)
    text(draw, (16 * _FINE, 36 * _FINE), subtitle, size=small, fill=PALE, width=width - 32 * _FINE)
    for part in range(5):
        value = highest * part / 4
        draw.line((left, y(value), right, y(value)), fill=FAINT, width=_FINE)
        label = f"{100 * value:.0f}%" if percent else f"{value:.2g}"
        text(draw, (left - 7 * _FINE, y(value)), label, size=tiny, fill=PALE, anchor="rm")
    step = _nice_step((last - first) / 6)
    for number in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1):
        seconds = number * step
        text(
            draw,
            (x(seconds), down + 8 * _FINE),
            f"{seconds:g} s",
            size=tiny,
            fill=PALE,
            anchor="ma",
        )
    # Names in the order of the lines' ends, moved apart where they would touch.
    ends = sorted(range(len(lines)), key=lambda i: y(lines[i][-1]))
    places: dict[int, float] = {}
    lowest = up - 6.0 * _FINE
    for index in ends:
        places[index] = lowest = max(y(lines[index][-1]), lowest + 17 * _FINE)
    surplus = max(0.0, lowest - down)
    for index in reversed(range(len(lines))):
        colour = SERIES[index % len(SERIES)]
        points = [(x(t), y(v)) for t, v in zip(times, lines[index], strict=True)]
        if len(points) == 1:
            points = [(left, points[0][1]), (right, points[0][1])]
        draw.line(points, fill=colour, width=2 * _FINE, joint="curve")
        place = max(places[index] - surplus, up)
        draw.line(
            (right + 8 * _FINE, place, right + 20 * _FINE, place), fill=colour, width=3 * _FINE
        )
        text(
            draw,
            (right + 26 * _FINE, place),
            names[index],
            size=small,
            fill=INK,
            anchor="lm",
            width=width - right - 34 * _FINE,
        )
    return image.resize(size, Image.Resampling.LANCZOS)


def draw_scores(
    picture: np.ndarray, scores: Sequence[tuple[str, float]], *, note: str = ""
) -> np.ndarray:
    """A frame with names, percents and bars at its lower left.

    Args:
        picture: uint8 (height, width, 3).
        scores: (name, value in 0..1), from the top.
        note: a line above them.
    """
    from PIL import ImageDraw

    height, width = picture.shape[:2]
    size = max(11, min(26, round(min(height, width) / 20)))
    line = round(size * 1.5)
    rows = len(scores) + bool(note)
    image = Image.fromarray(picture).convert("RGBA")
    panel = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(panel)
    room = min(width, round(size * 19))
    top = height - rows * line - size // 2
    draw.rectangle((0, top - size // 2, room, height), fill=(0, 0, 0, 150))
    letters = font(size)
    if note:
        draw.text((size // 2, top), note, font=letters, fill=(200, 205, 215, 255))
        top += line
    for name, value in scores:
        bar = round((room - size) * min(max(value, 0.0), 1.0))
        draw.rectangle(
            (size // 2, top + 1, size // 2 + bar, top + line - 3), fill=(213, 94, 0, 190)
        )
        percents = f"{100 * value:.0f}%"
        space = room - size - letters.getlength(percents) - 2 * size
        words = name
        while words and letters.getlength(words) > space:
            words = words[:-1]
        draw.text((size, top + line / 2), words, font=letters, fill="white", anchor="lm")
        draw.text((room - size, top + line / 2), percents, font=letters, fill="white", anchor="rm")
        top += line
    return np.asarray(Image.alpha_composite(image, panel).convert("RGB"))


def _nice_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least so much."""
    least = max(least, 1e-9)
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * f for f in (1, 2, 5, 10) if power * f >= least * (1 - 1e-9))
