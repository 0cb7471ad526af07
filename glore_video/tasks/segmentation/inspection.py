"""Where a segmentation network looks: its units and Grad-CAM, for the pixels of a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glore_video.inspection.picture_look import PictureLook
from glore_video.tasks.segmentation.objective import main_output
from glore_video.tasks.segmentation.scene_inference import SceneInference, window_starts


@dataclass(frozen=True, kw_only=True)
class SceneLook(PictureLook):
    """What was seen of a scene.

    Attributes:
        overlay: the classes' colours over the view, uint8 (height, width, 3).
        rectangle: top, left, height and width of the view, pixels of the picture.
    """

    overlay: np.ndarray
    rectangle: tuple[float, float, float, float]

    @property
    def words(self) -> str:
        return "the first view"


def first_view(
    inference: SceneInference, picture: Tensor
) -> tuple[Tensor, tuple[float, float, float, float]]:
    """What a test shows the network first: the picture at the first scale, of windows the middle one.

    Args:
        picture: uint8 (1, height, width, 3).

    Returns:
        uint8 (3, height, width), and its top, left, height and width in pixels of the picture.
    """
    scaled = next(inference.scaled(picture))
    height, width = scaled.shape[2:]
    tall, wide = height, width
    if inference.window:
        tall, wide = min(inference.window[0], height), min(inference.window[1], width)
    rows = window_starts(height, tall, inference.stride)
    columns = window_starts(width, wide, inference.stride)
    top, left = rows[len(rows) // 2], columns[len(columns) // 2]
    down, across = picture.shape[1] / height, picture.shape[2] / width
    return (
        scaled[0, :, top : top + tall, left : left + wide].contiguous(),
        (top * down, left * across, tall * down, wide * across),
    )


def cut_mask(
    mask: np.ndarray, rectangle: tuple[float, float, float, float], view: np.ndarray
) -> np.ndarray:
    """What a view (height, width, 3) shows of a picture's mask uint8, in the view's size."""
    top, left, down, across = rectangle
    box = (left, top, left + across, top + down)
    size = (view.shape[1], view.shape[0])
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST, box))


def score_of(number: int) -> Callable[[Any], Tensor]:
    """The mean logit of a class over the pixels that are taken for it; over all, if none are.

    As Seg-Grad-CAM asks (Vinogradova et al., AAAI 2020), with the mean in place of the sum, so that
    pictures of all sizes give numbers of the same size.
    """

    def score(outputs: Any) -> Tensor:
        logits = main_output(outputs)[0]  # (classes, height, width)
        where = logits.argmax(0) == number
        if not bool(where.any()):
            where = torch.ones_like(where)
        return logits[number][where].mean()

    return score
