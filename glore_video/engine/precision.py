"""Numeric precision: float32, TF32, or automatic mixed precision in bf16 or fp16."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from glore_video.engine.convolution_trials import ConvolutionTrials

Fp32Precision = Literal["default", "highest", "high", "medium"]


@dataclass(frozen=True, kw_only=True)
class Precision:
    """float32, or autocast to bf16 or fp16 (which scales the loss).

    Attributes:
        cudnn_benchmark: cuDNN may time its algorithms, on a GPU; see ConvolutionTrials.
    """

    device: torch.device
    amp_dtype: torch.dtype | None = None
    cudnn_benchmark: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        enabled = self.amp_dtype is not None
        return torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=enabled)

    def scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(self.device.type, enabled=self.amp_dtype == torch.float16)

    def trials(self) -> ConvolutionTrials:
        return ConvolutionTrials(enabled=self.cudnn_benchmark and self.device.type == "cuda")


def set_fp32_precision(precision: Fp32Precision) -> None:
    """How float32 products are computed from now on, in this whole process.

    "highest" is float32 throughout. "high" rounds the factors of matrix products and of cuDNN's
    convolutions to TF32 (10 bits of mantissa) where the device multiplies in it; "medium" does the same on a GPU, and
    on a CPU that multiplies in bf16 rounds those of matrix products to it. "default" leaves all as torch has it:
    convolutions in TF32, matrix products in float32, unless somebody has set it otherwise.
    """
    if precision == "default":
        return
    # Both in torch's older words: it refuses to tell of settings that are made in old and new ones.
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"
