"""Small JPEG pictures of a video, as data URIs."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable

import numpy as np
from PIL import Image

logger = logging.getLogger(__name__)

FramesOf = Callable[[str], np.ndarray]
"""Gives some frames of the video at a path, uint8 (frames, height, width, 3)."""

HEIGHT = 120
_WIDEST = 240
_QUALITY = 70


def thumbnails(path: str, frames_of: FramesOf | None) -> list[str]:
    """One data URI a frame; none if there is nobody to ask, or the video can't be read again."""
    if frames_of is None:
        return []
    try:
        return [_data_uri(frame) for frame in frames_of(path)]
    except Exception as error:  # a picture is not worth a test
        logger.warning("no pictures of %s for the report: %s", path, error)
        return []


def _data_uri(frame: np.ndarray) -> str:
    picture = Image.fromarray(frame)
    width = max(1, round(picture.width * HEIGHT / picture.height))
    picture = picture.resize((width, HEIGHT), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if width > _WIDEST:
        left = (width - _WIDEST) // 2
        picture = picture.crop((left, 0, left + _WIDEST, HEIGHT))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
