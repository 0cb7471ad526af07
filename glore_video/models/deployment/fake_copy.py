"""A copy of a network that has shapes and no numbers, as if on a GPU that need not be there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def fake_copy(model: nn.Module, mode: FakeTensorMode, device: str) -> nn.Module:
    """A deep copy whose parameters and buffers are fake tensors of the mode: nothing is allocated.

    Args:
        device: type of the device that they seem to be on, "cpu" or "cuda".
    """
    memo: dict[int, Any] = {}
    with mode:
        for tensor in (*model.parameters(), *model.buffers()):
            fake: Tensor = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device
            )
            if isinstance(tensor, nn.Parameter):
                fake = nn.Parameter(fake, requires_grad=tensor.requires_grad)
            memo[id(tensor)] = fake
    return copy.deepcopy(model, memo)


@contextmanager
def fake_run(mode: FakeTensorMode, device: str, amp_dtype: torch.dtype | None) -> Iterator[None]:
    """Within it fake tensors are computed as real ones would be on the device.

    Args:
        amp_dtype: of autocast; None: without.
    """
    before = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    # torch.autocast refuses the GPU where there is none; fake tensors go its ways all the same.
    torch.set_autocast_enabled(device, amp_dtype is not None)
    torch.set_autocast_dtype(device, amp_dtype or before[1])
    try:
        with mode, _FusedAttention():
            yield
    finally:
        torch.set_autocast_enabled(device, before[0])
        torch.set_autocast_dtype(device, before[1])
        torch.clear_autocast_cache()


class _FusedAttention(TorchFunctionMode):
    """Attention on a GPU by a fused kernel. torch asks the GPU for one, and takes none if it is not there."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and args and args[0].device.type == "cuda":
            return _fused_attention(*args, **kwargs)
        return func(*args, **kwargs)


def _fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    if query.dim() != 4 or options.get("enable_gqa"):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **options
        )
    if torch.is_autocast_enabled("cuda"):
        low = torch.get_autocast_dtype("cuda")
        query, key, value = query.to(low), key.to(low), value.to(low)
    attended: Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(
        query,
        key,
        value,
        attn_mask,
        True,  # keep the sums of the softmax for the backward pass
        dropout_p,
        is_causal,
        scale=options.get("scale"),
    )[0]
    return attended
