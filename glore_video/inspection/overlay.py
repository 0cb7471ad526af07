"""Maps over positions -> colours over pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import UsageError

# Orange for positive weights, blue for negative ones: told apart with any colour vision.
_POSITIVE = np.array([255, 122, 20], dtype=np.float32)
_NEGATIVE = np.array([40, 110, 255], dtype=np.float32)


def visible_square(
    height: int, width: int, *, short_side: int, crop_size: int
) -> tuple[int, int, int]:
    """Top, left and side, in pixels of the video, of what a network sees of a centre view.

    That is: frames scaled to `short_side`, the square of `crop_size` in the middle.
    """
    side = min(round(crop_size / short_side * min(height, width)), height, width)
    return (height - side + 1) // 2, (width - side + 1) // 2, side


def upsample(maps: Tensor, frames: int, height: int, width: int) -> Tensor:
    """(nodes, t, h, w) or (nodes, h, w) -> float32 (nodes, frames, height, width), trilinear."""
    if maps.dim() == 3:
        maps = maps[:, None]
    if maps.dim() != 4:
        raise UsageError(f"maps must be (nodes, t, h, w), got shape {tuple(maps.shape)}")
    return torch.nn.functional.interpolate(
        maps[None].float(), size=(frames, height, width), mode="trilinear", align_corners=False
    )[0]


def blend(pictures: np.ndarray, weights: np.ndarray, *, strength: float = 0.85) -> np.ndarray:
    """Weights in -1..1 over pictures: orange where positive, blue where negative, clear at 0.

    Args:
        pictures: uint8 (..., height, width, 3).
        weights: float (..., height, width); clipped to -1..1.
        strength: opacity at 1.

    Returns:
        uint8, of the shape of the pictures. Colours fade to grey below, so that the overlay's stand
        out.
    """
    weights = np.clip(np.nan_to_num(weights), -1, 1).astype(np.float32)[..., None]
    bright = pictures.astype(np.float32)
    grey = bright.mean(-1, keepdims=True)
    base = 38 + 0.8 * (0.3 * bright + 0.7 * grey)  # neither black nor white, on which colours drown
    alpha = strength * np.abs(weights)
    colour = np.where(weights >= 0, _POSITIVE, _NEGATIVE)
    return (base * (1 - alpha) + colour * alpha).round().astype(np.uint8)


def diverging(values: np.ndarray) -> np.ndarray:
    """-1..1 -> uint8 colours (..., 3): blue, white at 0, orange."""
    values = np.clip(np.nan_to_num(values), -1, 1).astype(np.float32)[..., None]
    end = np.where(values >= 0, _POSITIVE * 0.92, _NEGATIVE * 0.92)
    return (255 + (end - 255) * np.abs(values)).round().astype(np.uint8)


def relative(maps: Tensor) -> Tensor:
    """Each node's map, less its median over all positions, in -1..1.

    What a node gathers from everywhere alike says nothing about where it looks. The scale is the
    99.5th percentile of the absolute values, so that single positions don't pale the others.
    """
    flat = maps.flatten(1).float()  # (nodes, positions)
    flat = flat - flat.median(1, keepdim=True).values
    scale = flat.abs().quantile(0.995, dim=1, keepdim=True).clamp(min=1e-12)
    return (flat / scale).clamp(-1, 1).reshape(maps.shape)


def from_zero(cam: Tensor) -> Tensor:
    """Grad-CAM in units of its 99.5th percentile, so that single positions don't pale the others."""
    return cam / cam.quantile(0.995).clamp(min=1e-12)
