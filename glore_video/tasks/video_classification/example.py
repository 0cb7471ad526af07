"""Frames to try a network on: of a video, or rendered."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from glore_video.data.relations.video_rendering import render_video
from glore_video.pixels.transforms import centre_crop, resize_short_side, to_clip
from glore_video.tasks.predictor import AnyPath
from glore_video.video import open_video


def example_frames(path: AnyPath | None, count: int, size: int) -> Tensor:
    """uint8 (3, count, size, size): frames all over the video, a square of its middle.

    Without a path, of a rendered video. Raises VideoError if the video can't be read.
    """

    def square(shown: Tensor) -> Tensor:
        return centre_crop(resize_short_side(shown, size), size)

    if path:
        with open_video(path) as opened:
            indices = np.linspace(0, opened.num_frames - 1, count).astype(int).tolist()
            return to_clip(opened.frames(indices, square))
    side = max(48, size + size % 2)
    rendered = render_video(("up", "left"), seed=0, num_frames=count, size=side)
    return to_clip(square(torch.from_numpy(rendered)))
