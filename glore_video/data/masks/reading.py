"""A picture and the classes of its pixels, read together."""

from __future__ import annotations

from torch import Tensor

from glore_video.data.masks.label_map import LabelMap
from glore_video.data.masks.masked_list import MaskedList
from glore_video.images.errors import PictureError
from glore_video.images.masks import read_mask
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image

PER_LABEL = 1000
"""Instances that a label may have: number n of label l is 1000 * l + n in a picture of instances."""


def read_pair(
    samples: MaskedList, index: int, label_map: LabelMap, *, max_pixels: int = MAX_PIXELS
) -> tuple[Tensor, Tensor]:
    """A picture, uint8 (1, height, width, 3), and its classes, uint8 (height, width), 255 ignored.

    Raises PictureError where images.read_image and images.read_mask do, and of a mask of another size
    than its picture's, or with numbers that stand for no class.
    """
    picture = read_image(samples.path(index), max_pixels=max_pixels)
    path = samples.mask(index)
    stored = read_mask(path, max_pixels=max_pixels)
    if reason := size_difference(picture, stored):
        raise PictureError(path, reason)
    return picture, label_map(stored, path)


def read_instances(
    samples: MaskedList, index: int, mask: Tensor, labels: int, *, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """The instances of a picture, see statistics.instance_iou: int32 or uint8 (height, width).

    Args:
        mask: of the picture, (height, width).
        labels: how many label ids there are.

    Raises PictureError where images.read_mask does, and of another size than the mask's, or with
    instances of a label that there is not.
    """
    path = samples.instances(index)
    instances = read_mask(path, max_pixels=max_pixels)
    if instances.shape != mask.shape:
        (height, width), (own_height, own_width) = mask.shape, instances.shape
        raise PictureError(path, f"has {own_width}x{own_height} pixels, its mask {width}x{height}")
    if (last := int(instances.max())) >= PER_LABEL * labels:
        raise PictureError(
            path,
            f"holds instance {last}, of label {last // PER_LABEL}; there are labels up to {labels - 1}",
        )
    return instances


def size_difference(picture: Tensor, mask: Tensor) -> str:
    """What is wrong with a mask's size; "" if it is its picture's."""
    height, width = picture.shape[1:3]
    if tuple(mask.shape) == (height, width):
        return ""
    turned = "; one of them is turned, as EXIF says" if tuple(mask.shape) == (width, height) else ""
    return (
        f"the mask has {mask.shape[1]}x{mask.shape[0]} pixels, its picture {width}x{height}{turned}"
    )
