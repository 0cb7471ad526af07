"""Numeric precision: float32, or automatic mixed precision in bf16 or fp16."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch


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
