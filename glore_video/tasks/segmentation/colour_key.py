"""A colour key (legend) of classes: alone, or beneath a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.reports.drawing import FAINT, canvas, font, text

_SIZE, _LINE, _MARGIN, _SWATCH = 14, 22, 10, 26
_WIDE = 640  # pixels of a key that stands alone


def draw_key(
    classes: MaskClasses, numbers: Sequence[int], shares: Sequence[float] = (), width: int = _WIDE
) -> Image.Image:
    """Colours and names of these classes, with their shares if there are any, in columns.

    Args:
        shares: of the pixels, of all classes.
        width: pixels of the picture; it is wider where one name does not fit.
    """
    words = [
        classes.names[number] + (f"  {100 * shares[number]:.1f}%" if shares else "")
        for number in numbers
    ]
    longest = max((round(font(_SIZE).getlength(each)) for each in words), default=0)
    column = _SWATCH + 8 + longest + 2 * _MARGIN
    columns = max(1, min(len(words), (width - _MARGIN) // column))
    rows = -(-len(words) // columns)
    image, draw = canvas(max(width, column + _MARGIN), rows * _LINE + 2 * _MARGIN)
    for place, (number, name) in enumerate(zip(numbers, words, strict=True)):
        left = _MARGIN + place // rows * column
        top = _MARGIN + place % rows * _LINE
        box = (left, top + 4, left + _SWATCH, top + _LINE - 4)
        draw.rectangle(box, fill=classes.colours[number], outline=FAINT)
        text(draw, (left + _SWATCH + 8, top + _LINE / 2), name, size=_SIZE, anchor="lm")
    return image


def with_key(
    picture: np.ndarray, classes: MaskClasses, numbers: Sequence[int], shares: Sequence[float]
) -> Image.Image:
    """A picture, uint8 (height, width, 3), in its own size, and beneath it the key of these classes."""
    height, width = picture.shape[:2]
    key = draw_key(classes, numbers, shares, width)
    image, _ = canvas(key.width, height + key.height)
    image.paste(Image.fromarray(picture), (0, 0))
    image.paste(key, (0, height))
    return image
