"""Scaling, cropping, flipping and colour of clips, on uint8 until the device normalises them.

Frames are uint8 (frames, height, width, 3), as readers give them, until `to_clip`. Functions that
are random take the draw or a generator. The rules for sizes are SlowFast's (datasets/transform.py).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

from glore_video.errors import UsageError
from glore_video.pixels.draws import whole

Interpolation = Literal["bilinear", "bicubic"]
Transform = Callable[[Tensor], Tensor]
"""Frames -> frames, both uint8 (frames, height, width, 3)."""


def resize(
    frames: Tensor,
    height: int,
    width: int,
    *,
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
) -> Tensor:
    """Scale to height x width pixels: within one grey level of interpolating in floating point.

    SlowFast scales frames bilinearly without antialiasing. Published figures of pictures, ImageNet's
    say, are of antialiased interpolation, as Pillow has it: bicubic with a = -0.5 (-0.75 without).
    What bicubic interpolation throws beyond 0 and 255 is cut off along each axis.
    """
    if frames.shape[1:3] == (height, width):
        return frames
    pictures = frames.permute(0, 3, 1, 2)  # (frames, 3, height, width), channels last in memory
    resized = tvf.resize(
        pictures,
        [height, width],
        interpolation=InterpolationMode(interpolation),
        antialias=antialias,
    )
    return resized.permute(0, 2, 3, 1)  # (frames, height, width, 3)


def resize_short_side(
    frames: Tensor,
    short_side: int,
    *,
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
) -> Tensor:
    """Scale so that the shorter side is short_side pixels; the longer one is rounded down."""
    height, width = frames.shape[1:3]
    size = short_side_size(height, width, short_side)
    return resize(frames, *size, interpolation=interpolation, antialias=antialias)


def short_side_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of what `resize_short_side` makes of frames."""
    return (
        (height, width)
        if short_side == min(height, width)
        else scaled_size(height, width, short_side)
    )


def scaled_size(height: float, width: float, short_side: int) -> tuple[int, int]:
    """Height and width in pixels of a rectangle of this shape whose shorter side is short_side."""
    if short_side < 1:
        raise UsageError(f"short_side must be at least 1, got {short_side}")
    # In floating point, as SlowFast does it, or a few sizes would be one pixel apart.
    if width < height:
        return int(height / width * short_side), short_side
    return short_side, int(width / height * short_side)


def random_short_side(lo: int, hi: int, draw: float, *, inverse: bool = False) -> int:
    """The short side in pixels, in [lo, hi], for a draw from the uniform distribution on [0, 1).

    Uniform in the size, or with `inverse` in its reciprocal (the scale augmentation of VGG as
    video networks use it: sizes near lo come more often).
    """
    if not 1 <= lo <= hi:
        raise UsageError(f"sizes must satisfy 1 <= lo <= hi, got {lo} and {hi}")
    if not 0 <= draw <= 1:
        raise UsageError(f"draw must be in [0, 1], got {draw}")
    if inverse:
        return round(1 / (1 / hi + draw * (1 / lo - 1 / hi)))
    return round(lo + draw * (hi - lo))


def crop(frames: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """The rectangle of height x width pixels whose first pixel is at (top, left); a view."""
    rows, columns = frames.shape[1:3]
    if min(height, width) < 1:
        raise UsageError(f"a crop must be at least 1x1 pixels, got {width}x{height}")
    if top < 0 or left < 0 or top + height > rows or left + width > columns:
        raise UsageError(
            f"a crop of {width}x{height} pixels at row {top}, column {left} does not fit in "
            f"frames of {columns}x{rows} pixels"
        )
    return frames[:, top : top + height, left : left + width]


def _left_over(shape: Sequence[int], size: int) -> tuple[int, int]:
    """Rows and columns left beside a square crop of (height, width)."""
    rows, columns = shape
    if size < 1 or size > min(rows, columns):
        raise UsageError(
            f"a crop of {size}x{size} pixels does not fit in frames of {columns}x{rows} pixels"
        )
    return rows - size, columns - size


def random_crop(frames: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A square, every place being as likely as any other; a view."""
    height, width = frames.shape[1:3]
    return crop(frames, *random_square(height, width, size, generator))


def random_square(
    height: int, width: int, size: int, generator: torch.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of what `random_crop` shows of frames."""
    rows, columns = _left_over((height, width), size)
    top = whole(0, rows, generator)
    left = whole(0, columns, generator)
    return top, left, size, size


def centre_crop(frames: Tensor, size: int) -> Tensor:
    """The square in the middle; a view. An odd pixel too many is cut off at the top or left."""
    rows, columns = _left_over(frames.shape[1:3], size)
    return crop(frames, (rows + 1) // 2, (columns + 1) // 2, size, size)


def uniform_crop(frames: Tensor, size: int, position: Literal[0, 1, 2]) -> Tensor:
    """The square at the start, middle or end of the longer side; a view.

    Position 0, 1, 2 is left, centre, right, or of frames that are higher than wide, top, centre,
    bottom.
    """
    if position not in (0, 1, 2):
        raise UsageError(f"position must be 0, 1 or 2, got {position!r}")
    rows, columns = _left_over(frames.shape[1:3], size)
    top, left = (rows + 1) // 2, (columns + 1) // 2
    if position != 1:
        if rows > columns:
            top = 0 if position == 0 else rows
        else:
            left = 0 if position == 0 else columns
    return crop(frames, top, left, size, size)


def horizontal_flip(frames: Tensor) -> Tensor:
    """Left and right exchanged; a copy."""
    return frames.flip(2)


def to_clip(frames: Tensor) -> Tensor:
    """(frames, height, width, 3) -> contiguous (3, frames, height, width), as networks take it.

    For clips that meet others in a batch see `in_channels`.
    """
    clip = frames.permute(3, 0, 1, 2)
    if clip.device.type == "cpu":  # NumPy takes channels apart in half the time that torch needs
        return torch.from_numpy(np.ascontiguousarray(clip.numpy()))
    return clip.contiguous()


def in_channels(frames: Tensor) -> Tensor:
    """(frames, height, width, 3) -> (3, frames, height, width) without taking colours apart.

    In memory a pixel's colours stay together, and nothing but these frames is held: batches are put
    together from it in either order (data/batches.py).
    """
    return frames.contiguous().movedim(-1, 0)
