"""Pillow's canvas, text and files, as all pictures here use them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glore_video.errors import UsageError
from glore_video.files.whole_files import whole_path

INK, PALE, FAINT = (28, 30, 36), (112, 117, 128), (226, 228, 233)
PAPER = (255, 255, 255)
_QUALITY = 92  # of JPEG, so that letters stay sharp
# Okabe and Ito's colours, told apart with any colour vision.
SERIES = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (120, 94, 40),
    (90, 90, 90),
)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    *,
    size: int = 14,
    fill: tuple[int, int, int] = INK,
    anchor: str = "la",
    width: float | None = None,
) -> None:
    """Words at a place (Pillow's anchors), cut with dots to `width` pixels."""
    letters = font(size)
    if width is not None and letters.getlength(words) > width:
        while words and letters.getlength(words + "...") > width:
            words = words[:-1]
        words = words.rstrip() + "..."
    draw.text(place, words, font=letters, fill=fill, anchor=anchor)


def canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), PAPER)
    return image, ImageDraw.Draw(image)


def scaled(picture: np.ndarray, width: int, height: int, *, smooth: bool = True) -> Image.Image:
    """uint8 (h, w, 3) as an image of this size."""
    way = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), way)


def save(image: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Writes a picture, whole or not at all, in the format of its suffix."""
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise UsageError(f"{path}: no picture format has the suffix {path.suffix!r}")
    fine: dict[str, Any] = (
        {"quality": _QUALITY} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}
    )
    with whole_path(path, f".{os.getpid()}") as temporary:
        image.save(temporary, **fine)
    return path
