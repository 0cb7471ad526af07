"""Class names, percents and bars over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from glore_video.reports.drawing import font


def draw_scores(
    picture: np.ndarray, scores: Sequence[tuple[str, float]], *, note: str = ""
) -> np.ndarray:
    """A frame with names, percents and bars at its lower left.

    Args:
        picture: uint8 (height, width, 3).
        scores: (name, value in 0..1), from the top.
        note: a line above them.
    """
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
