"""Training crops of a picture and its mask: one draw of scale, place and mirror image for both.

Colours are jittered on the picture alone. Everything is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.pixels.colours import colour_jitter
from glore_video.pixels.draws import chance, uniform, whole
from glore_video.pixels.transforms import horizontal_flip

IGNORED = 255


@dataclass(frozen=True, kw_only=True)
class MaskedCrops:
    """Random scale, crop, mirror image and colour jitter.

    Attributes:
        crop_size: height and width of what comes out, pixels.
        scales: least and greatest factor of the picture's own height and width, drawn evenly.
        flip: mirror every second one.
        fill: RGB of what lies beyond a scaled picture that is smaller than the crop, at the right and
            at the bottom; IGNORED in the mask.
        colour_jitter: strength of pixels.colours.colour_jitter, 0 for none.

    Raises UsageError for sizes and scales that can't be.
    """

    crop_size: tuple[int, int]
    scales: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    fill: tuple[int, int, int] = (0, 0, 0)
    colour_jitter: float = 0.0

    def __post_init__(self) -> None:
        if min(self.crop_size) < 1:
            raise UsageError(f"a crop must be at least 1x1 pixels, got {self.crop_size}")
        if not 0 < self.scales[0] <= self.scales[1]:
            raise UsageError(f"scales must satisfy 0 < lo <= hi, got {self.scales}")

    def __call__(
        self,
        picture: Tensor,
        mask: Tensor,
        *,
        generator: torch.Generator,
        colours: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """(1, height, width, 3) and (height, width) -> those of crop_size, uint8.

        Args:
            generator: draws scale, place and mirror image.
            colours: draws the jitter.
        """
        height, width = mask.shape
        if picture.shape != (1, height, width, 3):
            raise UsageError(
                f"a picture of shape {tuple(picture.shape)} has no mask of shape {(height, width)}"
            )
        scale = uniform(*self.scales, generator)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        rows, columns = (min(part, all_) for part, all_ in zip(self.crop_size, size, strict=True))
        top, left = whole(0, size[0] - rows, generator), whole(0, size[1] - columns, generator)
        mirrored = self.flip and chance(0.5, generator)
        window = top, left, rows, columns
        seen = scaled_part(picture[0], size, window)[None]
        if self.colour_jitter:
            seen = colour_jitter(seen, self.colour_jitter, colours)
        crop = torch.tensor(self.fill, dtype=torch.uint8).repeat(1, *self.crop_size, 1)
        crop[:, :rows, :columns] = seen
        classes = torch.full(self.crop_size, IGNORED, dtype=torch.uint8)
        classes[:rows, :columns] = scaled_part(mask, size, window)
        if mirrored:
            return horizontal_flip(crop), classes.flip(1)
        return crop, classes


def scaled_part(values: Tensor, size: tuple[int, int], window: Sequence[int]) -> Tensor:
    """A window of a picture or mask that is scaled to a size; nothing beside it is computed.

    Pictures are interpolated bilinearly with antialiasing, masks take the nearest value. Both have
    the middle of a pixel at half, so that neither is shifted against the other (of two
    that are equally near, as at half the size, masks take the right or lower one).

    Args:
        values: uint8 (height, width, 3) or (height, width).
        size: height and width of the whole, scaled.
        window: top, left, height and width in it.
    """
    top, left, rows, columns = window
    height, width = values.shape[:2]
    box = (
        left * width / size[1],
        top * height / size[0],
        min(float(width), (left + columns) * width / size[1]),
        min(float(height), (top + rows) * height / size[0]),
    )
    resample = Image.Resampling.BILINEAR if values.ndim == 3 else Image.Resampling.NEAREST
    picture = Image.fromarray(np.ascontiguousarray(values.numpy()))
    return torch.from_numpy(np.array(picture.resize((columns, rows), resample, box)))
