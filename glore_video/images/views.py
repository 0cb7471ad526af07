"""Views of a picture that a test looks at: centre crop, five crops, mirror images, several scales."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.pixels.transforms import Interpolation

_RESAMPLING: dict[Interpolation, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_LONGEST = 32  # times the short side; of longer pictures the middle is looked at


def resize_side(size: int, crop_pct: float) -> int:
    """The side in pixels that pictures are scaled to, of which a crop is the share crop_pct.

    Rounded down, as timm has it: 256 for crops of 224 and 0.875.
    """
    if not 0 < crop_pct <= 1:
        raise UsageError(f"crop_pct must be above 0 and at most 1, got {crop_pct}")
    return math.floor(size / crop_pct)


@dataclass(frozen=True, kw_only=True)
class PictureViews:
    """The views of one picture, all from one decoding.

    In order: for each of `sides` each of the crops, and each of these again as a mirror image where
    `flips` are wanted. The first view is the centre crop at the first side, to the bit what timm's and
    torchvision's transforms for evaluation make of a Pillow image: Pillow scales it, antialiased, in
    whole numbers, so that views are the same on every processor.

    Attributes:
        size: height and width of a view, pixels.
        sides: pixels that pictures are scaled to, see crop_mode and `resize_side`.
        crop_mode: timm's word. "center": the shorter side becomes a side; "squash": both become it,
            whatever the shape; "border": the longer one does, and what is missing gets `fill`.
        crops: 1, in the centre; or 5, the centre and then the corners: top left, top right, bottom
            left, bottom right.
        flips: mirror images too.
        interpolation: Pillow's bilinear or bicubic one.
        fill: R, G, B around pictures of crop_mode "border"; timm takes 255 times the mean.
    """

    size: int
    sides: tuple[int, ...]
    crop_mode: Literal["center", "squash", "border"] = "center"
    crops: Literal[1, 5] = 1
    flips: bool = False
    interpolation: Interpolation = "bilinear"
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.size < 1 or not self.sides or min(self.sides) < 1:
            raise UsageError(
                f"size and sides must be at least 1 pixel, got {self.size} and {self.sides}"
            )
        if self.crop_mode not in ("center", "squash", "border"):
            raise UsageError(
                f"crop_mode must be 'center', 'squash' or 'border', got {self.crop_mode!r}"
            )
        if self.crops not in (1, 5):
            raise UsageError(f"crops must be 1 or 5, got {self.crops!r}")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise UsageError(
                f"interpolation must be 'bilinear' or 'bicubic', got {self.interpolation!r}"
            )
        if self.crop_mode == "border":
            if self.crops != 1:
                raise UsageError("crop_mode 'border' shows whole pictures: crops must be 1, got 5")
        elif min(self.sides) < self.size:
            raise UsageError(
                f"views of {self.size} pixels do not fit in pictures scaled to {min(self.sides)}: "
                f"sides must be at least size, or crop_mode 'border'"
            )

    @property
    def num_views(self) -> int:
        return len(self.sides) * self.crops * (2 if self.flips else 1)

    @property
    def words(self) -> str:
        """The views of a picture: "5 crops, mirror images, 2 scales: 20 views"."""
        whole = self.crop_mode == "border" or (
            self.crop_mode == "squash" and self.size == self.sides[0]
        )
        parts = ["5 crops" if self.crops == 5 else "whole picture" if whole else "centre crop"]
        if self.flips:
            parts.append("mirror images")
        if len(self.sides) > 1:
            parts.append(f"{len(self.sides)} scales")
        return ", ".join(parts) + (f": {self.num_views} views" if self.num_views > 1 else "")

    def __call__(self, picture: Tensor) -> Tensor:
        """uint8 (1, height, width, 3) -> uint8 (num_views, 3, size, size), contiguous."""
        picture = _middle(picture)
        views = torch.empty((self.num_views, 3, self.size, self.size), dtype=torch.uint8)
        number = 0
        for crop in self._crops(picture):
            planes = crop[0].permute(2, 0, 1)  # (3, size, size)
            views[number] = planes
            if self.flips:
                views[number + 1] = planes.flip(2)
            number += 2 if self.flips else 1
        return views

    def first_rectangle(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Top, left, height and width of what the first view shows, in pixels of the picture.

        It may begin before the picture and end after it: where crop_mode "border" fills.
        """
        rows, columns = _middle_size(height, width)
        scaled_rows, scaled_columns = scaled(rows, columns, self.sides[0], self.crop_mode)
        ((top, left),) = places(
            max(scaled_rows, self.size), max(scaled_columns, self.size), self.size, 1
        )
        top -= max(0, self.size - scaled_rows) // 2
        left -= max(0, self.size - scaled_columns) // 2
        down, across = rows / scaled_rows, columns / scaled_columns
        return (
            (height - rows) // 2 + top * down,
            (width - columns) // 2 + left * across,
            self.size * down,
            self.size * across,
        )

    def _crops(self, picture: Tensor) -> Iterator[Tensor]:
        """uint8 (1, size, size, 3) each, the views without mirror images."""
        for side in self.sides:
            height, width = picture.shape[1:3]
            size = scaled(height, width, side, self.crop_mode)
            resized = _resized(picture, *size, self.interpolation)
            if self.crop_mode == "border":
                resized = _padded(resized, self.size, self.fill)
            height, width = resized.shape[1:3]
            for top, left in places(height, width, self.size, self.crops):
                yield resized[:, top : top + self.size, left : left + self.size]


def _resized(picture: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    """uint8 (1, h, w, 3) -> (1, height, width, 3), by Pillow."""
    scaled = Image.fromarray(picture[0].numpy()).resize((width, height), _RESAMPLING[interpolation])
    return torch.from_numpy(np.array(scaled))[None]


def scaled(
    height: int, width: int, side: int, crop_mode: Literal["center", "squash", "border"]
) -> tuple[int, int]:
    """Height and width that a picture is scaled to: torchvision's and timm's rounding.

    That of "center" is torchvision's Resize, of "border" timm's ResizeKeepRatio.
    """
    if crop_mode == "squash":
        return side, side
    if crop_mode == "border":
        ratio = max(height / side, width / side)
        return max(1, round(height / ratio)), max(1, round(width / ratio))
    if height <= width:
        return side, int(side * width / height)
    return int(side * height / width), side


def places(height: int, width: int, size: int, crops: Literal[1, 5]) -> list[tuple[int, int]]:
    """Top and left of each crop. The centre is rounded as torchvision's CenterCrop does."""
    bottom, right = height - size, width - size
    centre = (round(bottom / 2), round(right / 2))
    return [centre] if crops == 1 else [centre, (0, 0), (0, right), (bottom, 0), (bottom, right)]


def _padded(picture: Tensor, size: int, fill: tuple[int, int, int]) -> Tensor:
    """At least size x size pixels, the picture in the middle; one that is odd is put at the end."""
    height, width = picture.shape[1:3]
    rows, columns = max(height, size), max(width, size)
    if (rows, columns) == (height, width):
        return picture
    top, left = (rows - height) // 2, (columns - width) // 2
    padded = torch.tensor(fill, dtype=torch.uint8).repeat(1, rows, columns, 1)
    padded[:, top : top + height, left : left + width] = picture
    return padded


def _middle(picture: Tensor) -> Tensor:
    height, width = picture.shape[1:3]
    rows, columns = _middle_size(height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[:, top : top + rows, left : left + columns]


def _middle_size(height: int, width: int) -> tuple[int, int]:
    """At most _LONGEST times as long as wide: scaled, a line of pixels would need gigabytes."""
    longest = _LONGEST * min(height, width)
    return min(height, longest), min(width, longest)
