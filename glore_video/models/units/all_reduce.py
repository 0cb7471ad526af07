"""Small tensors of all processes, put together, with gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def processes_of(norm: nn.SyncBatchNorm) -> dist.ProcessGroup | None:
    """The processes with which a norm shares its statistics now; None if it has them alone."""
    if not (norm.training and dist.is_available() and dist.is_initialized()):
        return None
    group = norm.process_group or dist.group.WORLD
    return group if dist.get_world_size(group) > 1 else None


def gather_over_processes(own: Tensor, group: dist.ProcessGroup) -> Tensor:
    """The tensors of all processes, of one shape, as (processes, *shape).

    The gradient is that of the sum of all processes' losses.
    """
    return _Gather.apply(own, group)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        each = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
        dist.all_gather(each, own.contiguous(), group=group)
        return torch.stack(each)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient, group=ctx.group)
        return gradient[dist.get_rank(ctx.group)], None
