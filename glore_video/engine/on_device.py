"""What happens to clips on the device: colours, memory format, numeric precision."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glore_video.pixels.transforms import normalize_batch


@dataclass(frozen=True, kw_only=True)
class Precision:
    """float32, or autocast to bf16 or fp16 (which scales the loss)."""

    device: torch.device
    amp_dtype: torch.dtype | None = None

    def autocast(self) -> AbstractContextManager[Any]:
        enabled = self.amp_dtype is not None
        return torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=enabled)

    def scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(self.device.type, enabled=self.amp_dtype == torch.float16)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Per-channel mean and standard deviation of RGB in 0..1, applied on the device."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    memory_format: torch.memory_format = torch.contiguous_format

    def __call__(self, clips: Tensor, device: torch.device) -> Tensor:
        """uint8 (clips, 3, t, h, w) anywhere -> float32 on the device."""
        # In the order of memory that clips come in: by channels it takes several times as long.
        pixels = normalize_batch(clips.to(device, non_blocking=True), self.mean, self.std)
        return pixels.contiguous(memory_format=self.memory_format)
