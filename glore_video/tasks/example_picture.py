"""A picture to try a network on: of a file, or rendered."""

from __future__ import annotations

import torch
from torch import Tensor

from glore_video.data.relations.picture_rendering import STRIPES, render_picture
from glore_video.images.reading import read_image
from glore_video.pixels.transforms import centre_crop, resize_short_side
from glore_video.tasks.predictor import AnyPath


def example_picture(path: AnyPath | None, size: int, max_pixels: int) -> Tensor:
    """uint8 (3, size, size): a square of a picture's middle, scaled.

    Without a path, of a rendered one. Raises PictureError if the picture can't be read.
    """
    if path:
        picture = read_image(path, max_pixels=max_pixels)
    else:
        side = max(48, size + size % 2)
        picture = torch.from_numpy(render_picture((STRIPES[0], STRIPES[1]), seed=0, size=side))[
            None
        ]
    square = centre_crop(resize_short_side(picture, size, antialias=True), size)
    return square[0].permute(2, 0, 1).contiguous()
