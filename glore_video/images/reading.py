"""Pictures as RGB."""

from __future__ import annotations

import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glore_video.images.errors import PictureError
from glore_video.images.opening import MAX_PIXELS, decode

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """A picture, upright: uint8 (1, height, width, 3), RGB.

    JPEG, PNG, WebP, BMP, GIF, TIFF and PPM, told by their content; of several pictures in a file the
    first one. Values are those of Pillow's `convert("RGB")`, as ImageFolder has it: CMYK and
    palettes become colours, an alpha channel is dropped, colour profiles are not applied. But 16-bit
    grey keeps its upper 8 bits, as Pillow does with 16-bit colours, where `convert` would cut values
    off at 255. Turned and mirrored as EXIF says.

    Args:
        max_pixels: larger pictures are refused before anything is decoded. Above 178,956,970, what
            PIL.Image.MAX_IMAGE_PIXELS allows is refused by Pillow until that is raised too.

    Raises PictureError: no such file, not a picture, cut off, damaged, too large, or without a
    known white (32-bit numbers).
    """
    decoded = decode(path, max_pixels)
    picture = decoded.picture
    if decoded.rgb is not None:
        values = decoded.rgb
    elif picture.mode == "RGB":
        values = np.array(picture)
    elif picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format != "TIFF"):
        grey = _upper_bits(picture)
        values = np.repeat(grey[:, :, None], 3, axis=2)
    elif picture.mode in ("I", "F"):
        raise PictureError(path, "holds signed or 32-bit numbers, whose white is not known")
    else:
        picture.info.pop("transparency", None)  # or convert looks for a colour that stands for it
        try:
            values = np.array(picture.convert("RGB"))
        except ValueError as error:
            raise PictureError(path, f"can't be converted to RGB: {error}") from None
    values = np.ascontiguousarray(decoded.upright(values))
    return torch.from_numpy(values)[None]  # (1, height, width, 3)


def _upper_bits(picture: Image.Image) -> np.ndarray:
    """The upper 8 bits of grey of up to 16 bits, uint8 (height, width)."""
    values = np.asarray(picture).astype(np.uint16)
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow sees to it up to 8 bits only
        values = (1 << bits) - 1 - values
    return (values >> (bits - 8)).astype(np.uint8)
