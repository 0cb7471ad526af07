"""Two orders in which a GloRe unit's products can be multiplied, and what each costs.

State and extend are linear, so both can move across the product over positions that they meet:

    conv_state(X) Bᵀ   = W_s (X Bᵀ) + b_s (Σ B)ᵀ        published, reassociated
    conv_extend(Z B)   = (W_e Z) B

The reassociated order never makes a tensor of (states x positions). All between its two products
with the positions (`position_products`) works on graphs of (nodes x channels) and smaller, and the
batch norm folds into the last of them (`batch_norm_folding`).
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from glore_video.models.units.batch_norm_folding import (
    fold_batch_norm,
    is_foldable,
    takes_batch_statistics,
)
from glore_video.models.units.plain_layers import is_plain
from glore_video.models.units.position_products import (
    Gathered,
    batched_multiply_add,
    expand,
    gather,
)
from glore_video.models.units.tensors import (
    as_number,
    autocasts,
    is_channels_last,
    without_autocast,
)
from glore_video.models.units.unit_ends import LearnedScale

Order = Literal["auto", "published", "reassociated", "lean", "triton"]
ORDERS: tuple[Order, ...] = ("auto", "published", "reassociated", "lean")
EXPERIMENTAL_ORDERS: tuple[Order, ...] = ("triton",)


class UnitLayers(Protocol):
    """What the orders use of a GloRe unit; see `GloreUnit`."""

    conv_state: _ConvNd
    conv_proj: _ConvNd
    gcn: Any  # a GraphConvolution
    conv_extend: _ConvNd
    blocker: nn.Module
    normalize: bool
    scale: float
    extend_scale: float
    order: Order


def multiply_adds(
    channels: int,
    nodes: int,
    states: int,
    positions: int,
    order: Literal["published", "reassociated"],
    *,
    preactivated: bool = False,
) -> int:
    """Multiply-adds of one unit for one clip, forward, without the batch norms."""
    graph = nodes * nodes * states + states * states * nodes
    if order == "published":
        over_positions = channels * (nodes + 2 * states) + 2 * nodes * states
        return over_positions * positions + graph
    if preactivated:
        over_positions = channels * (2 * nodes + states) + nodes * states
        return over_positions * positions + channels * nodes * states + graph
    return 3 * channels * nodes * positions + 2 * channels * nodes * states + graph


def cheaper_order(
    channels: int, nodes: int, states: int, positions: int, *, preactivated: bool = False
) -> Literal["published", "reassociated"]:
    """The order with fewer multiply-adds: the reassociated one from some number of positions on."""
    # Solved for positions, so that a symbolic number of them (torch.compile, torch.export) is
    # compared once, with a constant.
    saved_per_position = 2 * states * (channels + nodes) - 2 * channels * nodes
    added = 2 * channels * nodes * states
    if preactivated:  # the state alone moves across a product
        saved_per_position, added = saved_per_position // 2, added // 2
    if saved_per_position <= 0:
        return "published"
    return "reassociated" if positions > added // saved_per_position else "published"


def computing_dtype(x: Tensor) -> torch.dtype:
    """The dtype in which a layer's products of x are taken here: autocast's where it is on."""
    if x.dtype == torch.float64 or not autocasts(x):
        return x.dtype
    return torch.get_autocast_dtype(x.device.type)


def published(unit: UnitLayers, x: Tensor) -> Tensor:
    """The unit of x layer by layer, as it was published."""
    X = unit.conv_state(x).flatten(2)  # (batch, states, positions)
    B = unit.conv_proj(x).flatten(2)  # (batch, nodes, positions)
    if unit.normalize:
        # Half of 1 / L on each factor: neither the product overflows nor a factor underflows
        # in half precision.
        scale = 1 / as_number(X.shape[2]) ** 0.5
        if unit.scale != 1:
            scale = scale * unit.scale**0.5
        V = torch.matmul(X * scale, (B * scale).transpose(1, 2))  # (batch, states, nodes)
    else:
        V = torch.matmul(X, B.transpose(1, 2))  # (batch, states, nodes)
        if unit.scale != 1:
            V = V * unit.scale
    Z = unit.gcn(V)
    if unit.extend_scale != 1:
        Z = Z * unit.extend_scale
    y = torch.matmul(Z, B).unflatten(2, x.shape[2:])  # (batch, states, *positions)
    return x + unit.blocker(unit.conv_extend(y))


def reassociated(unit: UnitLayers, x: Tensor) -> Tensor:
    """The unit of x in the reassociated order, for a unit that `has_own_layers`."""
    dtype = computing_dtype(x)
    channels_last = is_channels_last(x)
    norm = unit.blocker if is_foldable(unit.blocker) else None
    gamma = cast(LearnedScale, unit.blocker).gamma if is_plain(unit.blocker, LearnedScale) else None
    adds = norm is not None or gamma is not None or is_plain(unit.blocker, nn.Identity)
    with without_autocast(x):
        flat = x.flatten(2)  # (batch, channels, positions)
        gathered = gather(
            flat.to(dtype),
            unit.conv_proj.weight.flatten(1).to(dtype),
            cast(Tensor, unit.conv_proj.bias).to(dtype),
            channels_last=channels_last,
            covariance=norm is not None and takes_batch_statistics(norm),
        )
        if dtype == x.dtype:
            flat = gathered.x  # its gradient then adds up inside `gather`
        # Without `normalize` V and what follows grow with L. Here they do not: V / L goes
        # through the unit, and what comes out is multiplied by L, or by whatever scales V.
        positions = as_number(flat.shape[2])
        scale: float = 1 if unit.normalize else positions
        if unit.scale != 1:
            scale = scale * unit.scale
        mixing = _mixing(unit, gathered, 1 / scale, dtype)  # (batch, nodes, channels)
        scale = scale * unit.extend_scale
        bias = None if unit.conv_extend.bias is None else unit.conv_extend.bias[None]
        if norm is not None:
            mixing, bias = fold_batch_norm(
                norm,
                mixing,
                gathered.mean,
                gathered.covariance,
                positions=positions,
                scale=scale,
            )
            scale = 1
        elif gamma is not None:
            mixing = mixing * gamma.to(mixing.dtype)
        if mixing.dtype != dtype:  # not yet in fp16, whose range it may exceed but for the scale
            mixing, scale = mixing * scale, 1
        nodes = gathered.nodes
        if adds:
            mixing = mixing.to(dtype)
        else:  # what another kind of blocker gets may exceed it in any case
            nodes = nodes.to(mixing.dtype)
        y = expand(
            flat if adds else None, nodes, mixing, bias, scale=scale, channels_last=channels_last
        ).unflatten(2, x.shape[2:])
    return y if adds else x + unit.blocker(y).to(x.dtype)


def _mixing(unit: UnitLayers, gathered: Gathered, bias_scale: float, dtype: torch.dtype) -> Tensor:
    """W_e Z transposed, (batch, nodes, channels), in `dtype`; in float32 where that is fp16.

    The bias of `conv1` is scaled by `bias_scale`, as the caller scaled V. Products in fp16 are
    taken of a graph and of weights whose largest entry is 1.
    """
    graph, mean = gathered.graph, gathered.mean
    extend = unit.conv_extend.weight.flatten(1)  # (channels, states)
    largest: Tensor | float = 1.0
    if dtype == torch.float16:
        # The result does not depend on these two, hence neither does the gradient.
        with torch.no_grad():
            largest = torch.maximum(
                graph.abs().amax((1, 2), keepdim=True), mean.abs().amax((1, 2), keepdim=True)
            ).clamp(min=1)
            heaviest = extend.abs().amax().float().clamp(min=torch.finfo(torch.float32).tiny)
        graph, mean, extend = graph / largest, mean / largest, extend / heaviest
    V = nn.functional.linear(graph.to(dtype), unit.conv_state.weight.flatten(1).to(dtype))
    bias = cast(Tensor, unit.conv_state.bias)
    V = V.addcmul_(mean.to(dtype), bias.to(dtype))  # (batch, nodes, states)
    Z = _reason(unit.gcn, V, bias_scale / largest)  # (batch, nodes, states)
    mixing = nn.functional.linear(Z, extend.to(dtype))
    return mixing.float() * (largest * heaviest) if dtype == torch.float16 else mixing


def _reason(gcn: Any, v: Tensor, bias_scale: Tensor | float) -> Tensor:
    """The graph convolution of a graph that lies node by node, with the bias of `conv1` scaled.

    (batch, nodes, states) -> (batch, nodes, states); computed in the dtype of `v`. `bias_scale`
    is a number or (batch, 1, 1): scaling V and this bias alike scales the result alike.
    """
    edges = gcn.conv1.weight.squeeze(2).to(v.dtype).expand(v.shape[0], -1, -1)
    bias = gcn.conv1.bias[:, None] * bias_scale
    h = batched_multiply_add(v, edges, v).add_(bias.to(v.dtype))
    if isinstance(gcn.relu, nn.ReLU):
        h = h.relu_()
    if isinstance(gcn.conv2, nn.Identity):  # fused into what follows
        return h
    return nn.functional.linear(h, gcn.conv2.weight.squeeze(2).to(v.dtype))
