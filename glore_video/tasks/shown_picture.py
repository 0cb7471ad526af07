"""What `serve` shows of a picture, as plain values for JSON, and a JPEG of it; what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from glore_video.data.pictures.picture_files import PICTURE_SUFFIXES
from glore_video.errors import SampleError
from glore_video.images.reading import read_image
from glore_video.inspection.page_maps import units_for_page
from glore_video.inspection.picture_look import PictureLook

ACCEPT = ",".join(("image/*", *sorted(PICTURE_SUFFIXES)))
MOST_PIXELS = 50_000_000
"""Width times height that are taken, unless the network's own limit is lower."""
_SIDE, _QUALITY, _NODES = 1280, 90, 6


def refuse_picture(path: str, run: Callable[..., Any], *, pixels: int) -> str:
    """See Predictor.refuse."""
    try:
        run(_try, path, pixels)
    except SampleError as error:
        return f"this is not a picture that can be read: {error.reason}"
    return ""


def _try(path: str, pixels: int) -> None:
    read_image(path, max_pixels=pixels)


def write_small(picture: Tensor, path: Path) -> tuple[int, int]:
    """uint8 (1, height, width, 3) as a JPEG of at most 1280 pixels a side; its width and height."""
    image = Image.fromarray(picture[0].numpy())
    image.thumbnail((_SIDE, _SIDE))
    image.save(path, "JPEG", quality=_QUALITY)
    return image.size


def shown_look(
    seen: PictureLook,
    rectangle: tuple[float, float, float, float],
    size: tuple[int, int],
    class_names: Sequence[str],
) -> dict[str, Any]:
    """A look for the page.

    Args:
        rectangle: top, left, height and width of what the maps show, pixels of the picture.
        size: height and width of the picture.
    """
    top, left, down, across = rectangle
    height, width = size
    return {
        "class": class_names[seen.target],
        "probability": seen.probability,
        "square": [left / width, top / height, across / width, down / height],
        "units": units_for_page(seen, _NODES),
    }
