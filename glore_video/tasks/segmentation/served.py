"""What `serve` shows of a picture that was segmented, as plain values for JSON, and a JPEG of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from glore_video.reports.embedded import png_uri
from glore_video.tasks.segmentation.inspection import SceneLook
from glore_video.tasks.segmentation.segmented import SegmentedPicture
from glore_video.tasks.shown_picture import shown_look, write_small

MOST_PIXELS = 13_000_000
"""Width times height that are taken, unless the network's own limit is lower: a whole picture's features
are hundreds of bytes a pixel."""


def shown_scene(
    seen: SegmentedPicture, looked: SceneLook | None, exhibit: Path, *, name: str
) -> dict[str, Any]:
    """Name, size (width, height), top, overlay, and look (None for networks without GloRe units).

    `top` has all classes that have pixels, each with its share and colour; `overlay` is a data URI, the
    mask in its colours as a PNG of the size of the JPEG that is written.
    """
    height, width = seen.mask.shape
    look = None
    if looked is not None:
        look = shown_look(looked, looked.rectangle, (height, width), seen.classes.names)
    small = write_small(torch.from_numpy(seen.picture)[None], exhibit)
    return {
        "name": name,
        "size": [width, height],
        "top": [
            {
                "name": seen.classes.names[number],
                "share": seen.shares[number],
                "colour": seen.classes.hex_colour(number),
            }
            for number in seen.largest(len(seen.classes))
        ],
        "overlay": _coloured_png(seen, small),
        "look": look,
    }


def _coloured_png(seen: SegmentedPicture, size: tuple[int, int]) -> str:
    indexed = Image.fromarray(seen.mask).resize(size, Image.Resampling.NEAREST)
    indexed.putpalette(seen.classes.colour_table.tobytes())
    return png_uri(indexed)
