"""Random crops that change the aspect ratio, one window for all frames of a clip.

Frames are uint8 (frames, height, width, 3).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.pixels.draws import chance, uniform, whole
from glore_video.pixels.transforms import Interpolation, crop, resize, scaled_size

_TRIES = 10


def random_aspect(least: float, greatest: float, generator: torch.Generator) -> float:
    """By how much a picture is made wider and less high: the GloRe repository's draw.

    The mean of two uniform draws from [least, greatest], its reciprocal every second time
    (data/image_transforms.py, RandomScale).
    """
    if not 0 < least <= greatest:
        raise UsageError(f"aspect ratios must satisfy 0 < lo <= hi, got {least} and {greatest}")
    drawn = 0.5 * (uniform(least, greatest, generator) + uniform(least, greatest, generator))
    return 1 / drawn if chance(0.5, generator) else drawn


def resize_with_aspect(frames: Tensor, short_side: int, aspect: float) -> Tensor:
    """Width times aspect, height divided by it, then scaled so that the shorter side is short_side.

    The longer side is rounded down, as transforms.resize_short_side does.
    """
    height, width = frames.shape[1:3]
    return resize(frames, *size_with_aspect(height, width, short_side, aspect))


def size_with_aspect(height: int, width: int, short_side: int, aspect: float) -> tuple[int, int]:
    """Height and width of what `resize_with_aspect` makes of frames."""
    return scaled_size(height / aspect, width * aspect, short_side)


def random_window(
    height: int,
    width: int,
    areas: tuple[float, float],
    aspects: tuple[float, float],
    generator: torch.Generator,
) -> tuple[int, int, int, int]:
    """A window of random area and aspect ratio, as Inception networks are trained with.

    The area is a share of the picture's drawn evenly from `areas`, the logarithm of width / height
    evenly from that of `aspects`, the place evenly from all where the window fits. After ten draws
    that do not fit, the largest window in the middle whose aspect ratio is within `aspects` or as
    near to it as it can be (SlowFast's datasets/transform.py, random_resized_crop).

    Returns:
        top, left, height, width in pixels.

    Raises ValueError unless 0 < areas[0] <= areas[1] <= 1 and 0 < aspects[0] <= aspects[1].
    """
    if not 0 < areas[0] <= areas[1] <= 1:
        raise UsageError(f"shares of the area must satisfy 0 < lo <= hi <= 1, got {areas}")
    if not 0 < aspects[0] <= aspects[1]:
        raise UsageError(f"aspect ratios must satisfy 0 < lo <= hi, got {aspects}")
    low, high = math.log(aspects[0]), math.log(aspects[1])
    for _ in range(_TRIES):
        area = uniform(*areas, generator) * height * width
        aspect = math.exp(uniform(low, high, generator))
        columns, rows = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < columns <= width and 0 < rows <= height:
            top, left = whole(0, height - rows, generator), whole(0, width - columns, generator)
            return top, left, rows, columns
    rows, columns = height, width
    if width / height < aspects[0]:
        rows = max(1, round(width / aspects[0]))
    elif width / height > aspects[1]:
        columns = max(1, round(height * aspects[1]))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def random_area_crop(
    frames: Tensor,
    size: int,
    areas: tuple[float, float],
    aspects: tuple[float, float],
    generator: torch.Generator,
    *,
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
) -> Tensor:
    """A `random_window` of the frames, scaled to size x size pixels (random resized crop)."""
    height, width = frames.shape[1:3]
    window = crop(frames, *random_window(height, width, areas, aspects, generator))
    return resize(window, size, size, interpolation=interpolation, antialias=antialias)
