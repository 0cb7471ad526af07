"""Class names, percents and bars over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from glore_video.reports.drawing import font


def rows_that_fit(height: int, width: int) -> int:
    """How many names `draw_scores` has room for in a frame, beneath a note."""
    size, line = _letters(height, width)
    return max(0, (height - size) // line - 1)


def draw_scores(
    picture: np.ndarray,
    scores: Sequence[tuple[str, float]],
    *,
    note: str = "",
    colours: Sequence[tuple[int, int, int]] = (),
) -> np.ndarray:
    """A frame with names, percents and bars at its lower left.

    Args:
        picture: uint8 (height, width, 3).
        scores: (name, value in 0..1), from the top.
        note: a line above them.
        colours: a square of each before its name, as a key to the picture's.
    """
    height, width = picture.shape[:2]
    size, line = _letters(height, width)
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
    indent = 2 * size if colours else size
    for number, (name, value) in enumerate(scores):
        bar = round((room - size) * min(max(value, 0.0), 1.0))
        fill = (150, 155, 165, 130) if colours else (213, 94, 0, 190)
        draw.rectangle((size // 2, top + 1, size // 2 + bar, top + line - 3), fill=fill)
        if colours:
            square = (size // 2 + 1, top + 3, size // 2 + size, top + line - 5)
            draw.rectangle(square, fill=(*colours[number], 255), outline="white")
        percents = f"{100 * value:.0f}%"
        space = room - indent - letters.getlength(percents) - 2 * size
        words = name
        while words and letters.getlength(words) > space:
            words = words[:-1]
        draw.text((indent, top + line / 2), words, font=letters, fill="white", anchor="lm")
        draw.text((room - size, top + line / 2), percents, font=letters, fill="white", anchor="rm")
        top += line
    return np.asarray(Image.alpha_composite(image, panel).convert("RGB"))


def _letters(height: int, width: int) -> tuple[int, int]:
    """Height of letters and of a line."""
    size = max(11, min(26, round(min(height, width) / 20)))
    return size, round(size * 1.5)
