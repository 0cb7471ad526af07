"""Decode every picture of a list or folder, to know before a run which can't be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from glore_video.data.check_sources import Listing
from glore_video.data.threaded import in_threads
from glore_video.data.unicode_names import other_form
from glore_video.images.errors import PictureError
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureCheck:
    """What has been found of one picture.

    Attributes:
        path: as the list has it.
        label: -1 if it has none.
        width, height: upright, pixels; 0 if it can't be read.
        size: of the file, bytes.
    """

    path: str
    label: int
    status: Literal["ok", "unreadable", "missing"]
    reason: str = ""
    width: int = 0
    height: int = 0
    size: int = 0


def check_pictures(
    listing: Listing,
    *,
    threads: int = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[], object] = lambda: None,
) -> list[PictureCheck]:
    """Decode each picture to its end, in the order of the list; the same file once.

    Args:
        threads: that decode at once.
        max_pixels: larger ones count as unreadable.
        progress: is called after each.
    """

    def one(path: str) -> PictureCheck:
        return check_picture(listing.file(path), path, max_pixels=max_pixels)

    paths = list(dict.fromkeys(path for path, _ in listing.samples))
    found = {}
    for checked in in_threads(one, paths, threads):
        found[checked.path] = checked
        progress()
    return [replace(found[path], label=label) for path, label in listing.samples]


def check_picture(file: str, path: str, *, max_pixels: int = MAX_PIXELS) -> PictureCheck:
    """Args: file: where it lies; path: what it is called in the result."""
    try:
        size = os.stat(file).st_size
    except FileNotFoundError:
        reason = f"no such file{other_form(file)}"
        return PictureCheck(path=path, label=-1, status="missing", reason=reason)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return PictureCheck(path=path, label=-1, status="missing", reason=reason)
    try:
        height, width = read_image(file, max_pixels=max_pixels).shape[1:3]
    except PictureError as error:
        return PictureCheck(
            path=path, label=-1, status="unreadable", reason=error.reason, size=size
        )
    return PictureCheck(path=path, label=-1, status="ok", width=width, height=height, size=size)


def size_lines(rows: Sequence[PictureCheck]) -> list[str]:
    """How large the pictures are; nothing if none can be read."""
    good = [row for row in rows if row.status == "ok"]
    if not good:
        return []
    sides = sorted(min(row.width, row.height) for row in good)
    gigabytes = sum(row.size for row in rows) / 1e9
    return [
        f"short sides from {sides[0]} to {sides[-1]} pixels, half of them up to "
        f"{sides[(len(sides) - 1) // 2]}; {gigabytes:.2f} GB"
    ]
