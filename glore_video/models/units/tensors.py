"""What is asked of tensors before they are multiplied: autocast, tracing, transforms, memory format."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad


def autocasts(x: Tensor) -> bool:
    """Whether autocast is on for the device of x."""
    # The meta device, on which shapes alone are computed, has no autocast to ask for.
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Products of x are taken in the dtype of their factors, on every device."""
    return torch.autocast(x.device.type, enabled=False) if autocasts(x) else nullcontext()


def is_traced() -> bool:
    """Whether torch.jit.trace records what is computed, as fvcore does to count multiply-adds.

    Then products are taken by operators that everybody's counters know: neither `baddbmm` nor an
    autograd.Function, which they pass over. What is multiplied stays the same.
    """
    return not torch.compiler.is_compiling() and torch.jit.is_tracing()


def as_number(size: int) -> Any:
    """The size of an axis for arithmetic, which a trace then repeats for inputs of other sizes.

    While torch.jit.trace records, sizes are tensors of integers: divided, they would be float32.
    """
    return torch.as_tensor(size, dtype=torch.float64) if is_traced() else size


def is_transformed() -> bool:
    """Whether torch.func (grad, vmap, jvp) or forward-mode differentiation is at work.

    Neither takes the autograd.Functions here, which have a backward pass only.
    """
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_batched(tensor: Tensor) -> bool:
    """Whether it stands for several, in `torch.autograd.grad(..., is_grads_batched=True)`."""
    return torch._C._functorch.is_legacy_batchedtensor(tensor)


def converted(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """`tensor.to(dtype)`, for the forward pass of an autograd.Function.

    Through one that changes nothing torch.compile takes wrong gradients there (in torch 2.11).
    """
    return tensor if tensor.dtype == dtype else tensor.to(dtype)


def is_channels_last(x: Tensor) -> bool:
    """Whether a feature map lies channels-last in memory and not in the default format as well."""
    if x.dim() < 3 or x.is_contiguous():
        return False
    if x.dim() == 3:
        return x.transpose(1, 2).is_contiguous()
    return x.is_contiguous(
        memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    )
