"""Normalisation of colours, on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.pixels.transforms import normalize_batch


def grey_levels(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    """A colour in units in which white is 1, such as the mean of a data set, in uint8."""
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class Normalize:
    """Per-channel mean and standard deviation of RGB in 0..1, applied on the device."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    memory_format: torch.memory_format = torch.contiguous_format

    def __call__(self, batch: Tensor, device: torch.device) -> Tensor:
        """uint8 (n, 3, *positions) anywhere -> float32 on the device."""
        # In the order of memory that batches come in: by channels it takes several times as long.
        pixels = normalize_batch(batch.to(device, non_blocking=True), self.mean, self.std)
        return pixels.contiguous(memory_format=self.memory_format)
