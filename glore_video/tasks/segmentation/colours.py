"""Masks as pictures, in the colours of their classes, uint8 (classes, 3)."""

from __future__ import annotations

import numpy as np

from glore_video.statistics.confusion import IGNORED


def coloured(mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3) of a mask uint8 (height, width); black where ignored."""
    return _table(colours)[mask]


def overlaid(
    picture: np.ndarray, mask: np.ndarray, colours: np.ndarray, share: float = 0.55
) -> np.ndarray:
    """uint8 (height, width, 3): the mask's colours over a picture of its size.

    Args:
        share: of the colours; ignored pixels keep the picture.
    """
    weight = round(256 * share)
    mixed = picture.astype(np.uint16)
    mixed *= 256 - weight
    mixed += (np.uint16(weight) * _table(colours).astype(np.uint16))[mask]
    mixed += 128
    mixed >>= 8
    drawn = mixed.astype(np.uint8)
    ignored = mask == IGNORED
    if ignored.any():
        drawn[ignored] = picture[ignored]
    return drawn


def _table(colours: np.ndarray) -> np.ndarray:
    """uint8 (256, 3)."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: min(len(colours), IGNORED)] = colours[:IGNORED]
    return table
