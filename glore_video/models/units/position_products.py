"""The two products of a GloRe unit with all positions, in half precision and channels-last too.

`gather` takes from the positions what the graph needs, `expand` brings the graph's answer back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from glore_video.models.units.tensors import (
    as_number,
    converted,
    is_batched,
    is_traced,
    is_transformed,
    without_autocast,
)

# In fp16 a product over positions is taken with B * (_HEADROOM / L): small enough that no sum
# overflows, large enough that few factors become subnormal.
_HEADROOM = 4


class Gathered(NamedTuple):
    """What a unit takes from all positions.

    Attributes:
        x: the input of `gather`, through which the gradient of whatever adds it elsewhere passes.
        nodes: B = W_p x + b_p, (batch, nodes, positions).
        graph: B xᵀ / positions, (batch, nodes, channels), of x's dtype, float32 if that is fp16.
        mean: of B over positions, (batch, nodes, 1), float32 or wider.
        covariance: of B over positions, (batch, nodes, nodes), float32 or wider; None unless asked
            for.
    """

    x: Tensor
    nodes: Tensor
    graph: Tensor
    mean: Tensor
    covariance: Tensor | None


def gather(
    x: Tensor, weight: Tensor, bias: Tensor, *, channels_last: bool, covariance: bool
) -> Gathered:
    """Projects positions onto nodes and sums over positions.

    Args:
        x: (batch, channels, positions), channels contiguous in memory if `channels_last`.
        weight, bias: of the projection, (nodes, channels) and (nodes,), of x's dtype.
        channels_last: memory format of x and of the nodes returned.
        covariance: whether to compute it.
    """
    learns = x.requires_grad or weight.requires_grad or bias.requires_grad
    if torch.is_grad_enabled() and learns and not is_traced():
        return Gathered(*_Gather.apply(x, weight, bias, channels_last, covariance))
    return Gathered(x, *_gather(x, weight, bias, channels_last, covariance))


def expand(
    x: Tensor | None,
    nodes: Tensor,
    mixing: Tensor,
    bias: Tensor | None,
    *,
    scale: float = 1,
    channels_last: bool,
) -> Tensor:
    """x + scale * mixingᵀ nodes + bias; x and bias may be absent.

    Args:
        x: (batch, channels, positions).
        nodes: (batch, nodes, positions).
        mixing: (batch, nodes, channels), of the nodes' dtype.
        bias: (1 or batch, channels).
        scale: a factor.
        channels_last: memory format of x, of the nodes and of the result.
    """
    if channels_last:
        # Transposed last: autograd would copy what is changed in place through a view.
        left, right = nodes.transpose(1, 2), mixing
        x = None if x is None else x.transpose(1, 2)
    else:
        left, right = mixing.transpose(1, 2), nodes
    if x is not None and x.dtype == nodes.dtype:
        y = batched_multiply_add(x, left, right, scale)
    else:
        y = scaled_bmm(left, right, scale)
        y = y if x is None else x + y
    if bias is not None:
        bias = bias.to(y.dtype)
        y = y.add_(bias[:, None] if channels_last else bias[:, :, None])
    return y.transpose(1, 2) if channels_last else y


def batched_multiply_add(
    c: Tensor, a: Tensor, b: Tensor, scale: float = 1, beta: float = 1
) -> Tensor:
    """beta * c + scale * a b, batched."""
    if is_traced():
        return (c if beta == 1 else c * beta) + scaled_bmm(a, b, scale)
    return torch.baddbmm(c, a, b, alpha=scale, beta=beta)


def scaled_bmm(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """scale * a b, batched, without another pass over the product."""
    if scale == 1:
        return torch.bmm(a, b)
    if is_traced():
        return torch.bmm(a, b) * scale
    # What is multiplied by 0 is not read; a compiler's own form of baddbmm may read it.
    unread = a.new_zeros if torch.compiler.is_compiling() else a.new_empty
    return torch.baddbmm(unread((1, 1, 1)), a, b, beta=0, alpha=scale)


def _mean_product(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ / positions, of the factors' dtype, float32 if that is fp16."""
    positions = as_number(a.shape[2])
    if a.dtype != torch.float16:
        return scaled_bmm(a, b.transpose(1, 2), 1 / positions)
    return torch.bmm(a * (_HEADROOM / positions), b.transpose(1, 2)).float() / _HEADROOM


def _gather(
    x: Tensor, weight: Tensor, bias: Tensor, channels_last: bool, covariance: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    batch = x.shape[0]
    wide = torch.promote_types(x.dtype, torch.float32)
    nodes = matmul_add(
        bias[:, None].expand(batch, -1, 1), weight.expand(batch, -1, -1), x, channels_last
    )  # (batch, nodes, positions)
    mean = nodes.mean(2, keepdim=True, dtype=wide)
    graph = _mean_product(nodes, x)  # (batch, nodes, channels)
    if not covariance:
        return nodes, graph, mean, None
    rounded = converted(mean, x.dtype)
    centred = nodes - rounded
    moments = converted(_mean_product(centred, centred), wide)  # (batch, nodes, nodes)
    if wide != x.dtype:
        error = mean - rounded
        moments = batched_multiply_add(moments, error, error.transpose(1, 2), -1)
    return nodes, graph, mean, moments


class _Gather(torch.autograd.Function):
    """`_gather` with a backward pass that saves x and B only and adds into one gradient of x."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, channels_last: bool, covariance: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        nodes, graph, mean, moments = _gather(x, weight, bias, channels_last, covariance)
        ctx.save_for_backward(x, weight, nodes, mean)
        ctx.channels_last = channels_last
        return x.view_as(x), nodes, graph, mean, moments

    @staticmethod
    def backward(
        ctx: Any,
        grad_x: Tensor,
        grad_nodes: Tensor,
        grad_graph: Tensor,
        grad_mean: Tensor,
        grad_covariance: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, weight, nodes, mean = ctx.saved_tensors
        last = ctx.channels_last
        batch, _, positions = x.shape
        with without_autocast(x):
            scale = 1 / positions
            if grad_graph.dtype != x.dtype:  # in fp16 it could overflow
                grad_graph, scale = (grad_graph / positions).to(x.dtype), 1
            grad_mean = grad_mean / positions
            grad_nodes = matmul_add(grad_nodes, grad_graph, x, last, scale)
            if grad_covariance is not None:
                grad_covariance = (grad_covariance + grad_covariance.transpose(1, 2)) / positions
                grad_mean = grad_mean - grad_covariance @ mean
                grad_nodes = add_matmul(grad_nodes, grad_covariance.to(x.dtype), nodes, last)
            grad_nodes += grad_mean.to(x.dtype)
            grad_weight = grad_bias = None
            if ctx.needs_input_grad[0]:
                grad_x = matmul_add(grad_x, grad_graph.transpose(1, 2), nodes, last, scale)
                grad_x = add_matmul(grad_x, weight.t().expand(batch, -1, -1), grad_nodes, last)
            if ctx.needs_input_grad[1]:
                grad_weight = torch.bmm(grad_nodes, x.transpose(1, 2)).sum(0)
            if ctx.needs_input_grad[2]:
                grad_bias = grad_nodes.sum((0, 2))
        return grad_x if ctx.needs_input_grad[0] else None, grad_weight, grad_bias, None, None


def matmul_add(
    c: Tensor, a: Tensor, b: Tensor, channels_last: bool, scale: float = 1, beta: float = 1
) -> Tensor:
    """beta * c + scale * a b, batched, the result laid out as asked without a copy."""
    if channels_last:
        c, a, b = c.transpose(1, 2), b.transpose(1, 2), a.transpose(1, 2)
    y = batched_multiply_add(c, a, b, scale, beta)
    return y.transpose(1, 2) if channels_last else y


def add_matmul(c: Tensor, a: Tensor, b: Tensor, channels_last: bool, scale: float = 1) -> Tensor:
    """c + scale * a b, batched, in the memory of c unless something records the operators."""
    if (
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or is_transformed()
        or is_batched(a)
        or is_batched(b)
    ):
        return matmul_add(c, a, b, channels_last, scale)
    if channels_last:
        into, a, b = c.transpose(1, 2), b.transpose(1, 2), a.transpose(1, 2)
    else:
        into = c
    # The same kernel as `into.baddbmm_(a, b)`, which torch's FlopCounterMode passes over.
    torch.baddbmm(into, a, b, alpha=scale, out=into)
    return c
