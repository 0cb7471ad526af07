"""Normalisation of colours, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.pixels.kept_tensors import kept_on_device


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
        """uint8 (n, 3, *positions) anywhere -> float32 on the device, in the memory format."""
        pixels = batch.to(device, non_blocking=True)
        # Where the order in memory is another one, bytes are moved: a quarter of what floats would be.
        pixels = pixels.contiguous(memory_format=self.memory_format)
        return normalize_batch(pixels, self.mean, self.std)


def normalize_batch(batch: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalise colours: uint8 (batch, 3, *positions) -> float32, alike in shape, device and memory.

    Positions are (height, width) of pictures, (frames, height, width) of clips. mean and std are of
    channels R, G, B in units in which white is 1. Meant for whole batches on the device: a
    multiplication and an addition, and no word of the host's that the device would have to wait for.
    """
    if batch.dtype != torch.uint8:
        raise UsageError(f"a batch to normalise must be uint8, got {batch.dtype}")
    if batch.ndim < 3 or batch.shape[1] != len(mean) or len(mean) != len(std):
        raise UsageError(
            f"a batch must be (batch, channels, *positions) with a mean and a std for each channel, "
            f"got shape {tuple(batch.shape)}, {len(mean)} means and {len(std)} stds"
        )
    if min(std) <= 0:
        raise UsageError(f"std must be above 0, got {tuple(std)}")
    channels = batch.shape[1]
    last = batch.movedim(1, -1)  # (batch, *positions, channels)
    if last.is_contiguous() and not batch.is_contiguous():
        # A row at a time: loops over three channels alone take half as long again on a CPU.
        width = last.shape[-2]
        rows = last.flatten(-2)  # (batch, *positions but the last, width * channels)
        pixels = _scaled(rows, *_factors(tuple(mean), tuple(std), batch.device, width))
        return pixels.unflatten(-1, (width, channels)).movedim(-1, 1)
    shape = (1, -1, *[1] * (batch.ndim - 2))
    factors = _factors(tuple(mean), tuple(std), batch.device, 1)
    return _scaled(batch, *(each.view(shape) for each in factors))


def _scaled(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """float32 pixels * scale + shift: on a GPU one operator for each, on a CPU three are faster."""
    floats = pixels.float().mul_(scale) if pixels.device.type == "cpu" else pixels * scale
    return floats.add_(shift)


@kept_on_device(maxsize=64)  # pictures of a validation have many widths
def _factors(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device, width: int
) -> tuple[Tensor, Tensor]:
    """float32 (width * channels,) each: (pixel / 255 - mean) / std is pixel * scale + shift."""
    scale = [1 / (255 * s) for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    return tuple(torch.tensor(each, device=device).repeat(width) for each in (scale, shift))  # type: ignore[return-value]
