"""A trap of bf16 on CPUs that compute in it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from glore_video.errors import UsageError


def check_temporal_kernels(model: nn.Module, clip_shape: Sequence[int]) -> None:
    """Raises ValueError if a convolution sees fewer frames than its kernel spans, but more than one.

    Of those, oneDNN (as of torch 2.14, on processors with AVX512-BF16) returns bf16 weight gradients
    from memory that it never wrote: wrong ones, most of the time without a NaN.

    Args:
        model: the network, unchanged.
        clip_shape: of one clip, (3, frames, height, width).
    """
    model = copy.deepcopy(model).to("meta").eval()
    paths = {module: path for path, module in model.named_modules()}

    def check(conv: nn.Module, inputs: tuple[Any, ...]) -> None:
        frames, kernel = inputs[0].shape[2], conv.kernel_size[0]  # type: ignore[index]
        if 1 < frames < kernel:
            raise UsageError(
                f"TRAIN.MIXED_PRECISION in bf16 on the CPU: {paths[conv]} sees {frames} frames, its "
                f"kernel spans {kernel}, and of such layers oneDNN returns wrong gradients. Raise "
                f"DATA.NUM_FRAMES (now {clip_shape[1]}) or set TRAIN.MIXED_PRECISION False"
            )

    for module in model.modules():
        if type(module) is nn.Conv3d:
            module.register_forward_pre_hook(check)
    with torch.no_grad():
        model(torch.empty(1, *clip_shape, device="meta"))
