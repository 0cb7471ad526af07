"""Masks as pictures, in the colours of their classes, uint8 (classes, 3)."""

from __future__ import annotations

import numpy as np

from glore_video.statistics.confusion import IGNORED


def coloured(mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3) of a mask uint8 (height, width); black where ignored."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: min(len(colours), IGNORED)] = colours[:IGNORED]
    return table[mask]


def overlaid(
    picture: np.ndarray, mask: np.ndarray, colours: np.ndarray, share: float = 0.55
) -> np.ndarray:
    """uint8 (height, width, 3): the mask's colours over a picture of its size.

    Args:
        share: of the colours; ignored pixels keep the picture.
    """
    known = (mask != IGNORED)[..., None]
    mixed = share * coloured(mask, colours) + (1 - share) * picture
    return np.where(known, np.rint(mixed), picture).astype(np.uint8)
