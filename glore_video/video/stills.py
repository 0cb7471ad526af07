"""A few frames of a video, to show what is in it."""

from __future__ import annotations

import numpy as np

from glore_video.choices import Backend

from .opening import open_video


def sample_frames(path: str, *, backend: Backend = "pyav", count: int = 3) -> np.ndarray:
    """Frames spread over the time of a video, uint8 (count, height, width, 3). Raises VideoError."""
    with open_video(path, backend=backend, damaged="use_prefix") as video:
        times = video.times
        middles = [times.duration * (2 * n + 1) / (2 * count) for n in range(count)]
        return video.frames([times.shown_at(each) for each in middles]).numpy()
