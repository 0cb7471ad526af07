"""Small JPEG pictures of a sample, as data URIs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread

import numpy as np
from PIL import Image

from glore_video.reports.embedded import jpeg_uri

logger = logging.getLogger(__name__)

FramesOf = Callable[[str], np.ndarray]
"""Gives some frames of the sample at a path, uint8 (frames, height, width, 3)."""

HEIGHT = 120
_WIDEST = 240


def thumbnails(
    paths: Sequence[str], frames_of: FramesOf | None, *, seconds: float = 60.0
) -> list[list[str]]:
    """For each sample a data URI a frame.

    A sample has none if there is nobody to ask, if it can't be read again, or if it is not yet read
    after so many seconds for all together: a disk or a decoder that hangs holds up nobody.
    """
    found: list[list[str]] = [[] for _ in paths]
    if frames_of is None:
        return found
    enough = Event()
    reader = Thread(target=_read, args=(paths, frames_of, found, enough), daemon=True)
    reader.start()
    reader.join(seconds)
    enough.set()
    if reader.is_alive():
        logger.warning("pictures for the report took more than %g s; some are left out", seconds)
    return list(found)


def _read(paths: Sequence[str], frames_of: FramesOf, found: list[list[str]], enough: Event) -> None:
    for number, path in enumerate(paths):
        if enough.is_set():
            return
        try:
            found[number] = [_data_uri(frame) for frame in frames_of(path)]
        except Exception as error:  # a picture is not worth a test
            logger.warning("no pictures of %s for the report: %s", path, error)


def _data_uri(frame: np.ndarray) -> str:
    picture = Image.fromarray(frame)
    width = max(1, round(picture.width * HEIGHT / picture.height))
    picture = picture.resize((width, HEIGHT), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if width > _WIDEST:
        left = (width - _WIDEST) // 2
        picture = picture.crop((left, 0, left + _WIDEST, HEIGHT))
    return jpeg_uri(picture)
