"""Masks of a segmentation: pictures whose pixels are numbers of classes."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

from glore_video.images.errors import PictureError
from glore_video.images.opening import MAX_PIXELS, decode

MASK_FORMATS = ("PNG", "TIFF", "BMP", "GIF")
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def read_mask(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """A mask, upright as its picture is: (height, width), the numbers as they are stored.

    Indices of a palette, or grey of 1 to 8 bits, are uint8; grey of 16 bits is int32. Nothing is
    scaled: grey of 4 bits gives 0 to 15.

    Raises PictureError where `read_image` does, of other formats than PNG, TIFF, BMP and GIF (JPEG
    and WebP change values), and of colours.
    """
    decoded = decode(path, max_pixels)
    picture, raw_mode = decoded.picture, decoded.raw_mode
    if picture.format not in MASK_FORMATS:
        allowed = ", ".join(MASK_FORMATS)
        raise PictureError(path, f"a mask must be one of {allowed}, this is {picture.format}")
    values = np.asarray(picture)
    if picture.mode in ("1", "L"):
        white = 1 if picture.mode == "1" else 255
        values = values.astype(np.uint8)
        if (
            picture.format == "TIFF" and "I" in raw_mode
        ):  # white is 0 there, and Pillow turned it round
            values = white - values
        if raw_mode.startswith(("L;2", "L;4")):
            values = values // (85 if raw_mode.startswith("L;2") else 17)
    elif picture.mode in _WIDE and "S" not in raw_mode and "32" not in raw_mode:
        values = values.astype(np.int32)
    elif picture.mode != "P":
        raise PictureError(
            path,
            f"a mask must be a palette or grey of up to 16 bits, this is of mode {picture.mode}",
        )
    return torch.from_numpy(np.array(decoded.upright(values), order="C"))
