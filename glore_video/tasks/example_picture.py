"""A picture to try a network on: of a file, or rendered."""

from __future__ import annotations

import torch
from torch import Tensor

from glore_video.data.relations.picture_rendering import STRIPES, render_picture
from glore_video.images.reading import read_image
from glore_video.pixels.transforms import crop, resize
from glore_video.tasks.predictor import AnyPath


def example_picture(path: AnyPath | None, size: tuple[int, int], max_pixels: int) -> Tensor:
    """uint8 (3, height, width): the middle of a picture, scaled so that it covers this size.

    Without a path, of a rendered one. Raises PictureError if the picture can't be read.
    """
    if path:
        picture = read_image(path, max_pixels=max_pixels)
    else:
        side = max(48, *size)
        side += side % 2
        picture = torch.from_numpy(render_picture((STRIPES[0], STRIPES[1]), seed=0, size=side))[
            None
        ]
    rows, columns = picture.shape[1:3]
    factor = max(size[0] / rows, size[1] / columns)
    tall, wide = max(size[0], round(rows * factor)), max(size[1], round(columns * factor))
    scaled = resize(picture, tall, wide, antialias=True)
    middle = crop(scaled, (tall - size[0] + 1) // 2, (wide - size[1] + 1) // 2, *size)
    return middle[0].permute(2, 0, 1).contiguous()
