"""All frames of a video in their order, of which only some are in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .reader import VideoReader

_TOGETHER = 400 << 20  # bytes of frames that are decoded at once


def all_frames(
    video: VideoReader, *, most: int = 32, most_bytes: int = _TOGETHER
) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers and frames, uint8 (height, width, 3).

    Args:
        most, most_bytes: frames that are decoded at once, and what they may take.

    Raises VideoError if one can't be decoded.
    """
    size = max(1, min(most, most_bytes // (3 * video.height * video.width)))
    for start in range(0, video.num_frames, size):
        numbers = range(start, min(start + size, video.num_frames))
        yield from zip(numbers, video.frames(numbers).numpy(), strict=True)
