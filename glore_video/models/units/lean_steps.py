"""The lean order of a GloRe unit, forward: the reassociated products in few operators.

Biases and shortcuts are products' addends, 1 / L is a product's factor. See `lean_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.models.units.glore_unit_orders import UnitLayers
from glore_video.models.units.position_products import (
    batched_multiply_add,
    matmul_add,
    scaled_bmm,
)
from glore_video.models.units.tensors import is_traced


class LeanWeights(NamedTuple):
    """Of a unit's layers, as matrices and vectors."""

    proj: Tensor  # (nodes, channels)
    proj_bias: Tensor  # (nodes,)
    state: Tensor  # (states, channels)
    state_bias: Tensor  # (states,)
    edges: Tensor  # (nodes, nodes)
    edges_bias: Tensor  # (nodes,)
    update: Tensor | None  # (states, states); None where it is fused into `extend`
    extend: Tensor  # (channels, states)


class LeanSettings(NamedTuple):
    """What is no tensor.

    Attributes:
        factor: of B Xᵀ.
        mean_factor: of the mean of B over positions: `factor` times their number.
        relu: whether there is one between the two graph products.
        channels_last: memory format of x.
        norm: that is computed here and not called; None for another end.
        adds: whether x is added here as well.
        kernels: `triton_graph`, for what is computed on the graph; None for torch's operators.
    """

    factor: Any
    mean_factor: Any
    relu: bool
    channels_last: bool
    norm: _BatchNorm | None
    adds: bool
    kernels: Any = None


class LeanSteps(NamedTuple):
    """What the forward pass makes, up to the matrix that B is multiplied by."""

    nodes: Tensor  # B, (batch, nodes, positions)
    mean: Tensor  # of B over positions, (batch * nodes, 1)
    graph: Tensor  # factor B Xᵀ, (batch * nodes, channels)
    state: Tensor | None  # V, (batch, nodes, states); None where nobody needs it any more
    hidden: Tensor  # of the graph convolution, (batch, nodes, states)
    updated: Tensor  # Z, (batch * nodes, states)
    mixing: Tensor  # W_e Z transposed, (batch, nodes, channels)


def weights_of(unit: UnitLayers) -> LeanWeights:
    gcn = unit.gcn
    update = None if isinstance(gcn.conv2, nn.Identity) else gcn.conv2.weight.squeeze(2)
    return LeanWeights(
        unit.conv_proj.weight.flatten(1),
        cast(Tensor, unit.conv_proj.bias),
        unit.conv_state.weight.flatten(1),
        cast(Tensor, unit.conv_state.bias),
        gcn.conv1.weight.squeeze(2),
        gcn.conv1.bias,
        update,
        unit.conv_extend.weight.flatten(1),
    )


def steps_of(x: Tensor, w: LeanWeights, settings: LeanSettings, *, keep: bool = True) -> LeanSteps:
    """Of x, (batch, channels, positions); all of one dtype. V may be left out unless `keep`."""
    batch = x.shape[0]
    if settings.channels_last and not is_traced():  # one product of matrices, not one a clip
        nodes = positions_of(torch.addmm(w.proj_bias, rows_of(x), w.proj.t()), batch)
    else:
        nodes = matmul_add(
            w.proj_bias[:, None].expand(batch, -1, 1),
            *(w.proj.expand(batch, -1, -1), x, settings.channels_last),
        )
    mean = nodes.mean(2).flatten()[:, None]
    graph = scaled_bmm(nodes, x.transpose(1, 2), settings.factor).flatten(0, 1)
    state, hidden = _on_graph(graph, mean, w, settings, batch, keep=keep)
    updated = hidden.flatten(0, 1)
    if w.update is not None:
        updated = torch.mm(updated, w.update.t())
    mixing = torch.mm(updated, w.extend.t()).unflatten(0, (batch, -1))
    return LeanSteps(nodes, mean, graph, state, hidden, updated, mixing)


def _on_graph(
    graph: Tensor,
    mean: Tensor,
    w: LeanWeights,
    settings: LeanSettings,
    batch: int,
    *,
    keep: bool,
) -> tuple[Tensor | None, Tensor]:
    """V and H."""
    # Whoever differentiates the operators himself needs operators.
    if settings.kernels is not None and not torch.is_grad_enabled():
        return settings.kernels.reason(
            *(graph, mean, w.state, w.state_bias, w.edges, w.edges_bias),
            factor=settings.mean_factor,
            relu=settings.relu,
            keep=keep,
        )
    state = _affine(graph, w.state, mean * w.state_bias, settings.mean_factor)
    state = state.unflatten(0, (batch, -1))
    hidden = batched_multiply_add(state, w.edges.expand(batch, -1, -1), state)
    hidden = hidden.add_(w.edges_bias[:, None])
    return state, hidden.relu_() if settings.relu else hidden


def _affine(x: Tensor, weight: Tensor, bias: Tensor, bias_factor: Any) -> Tensor:
    """x weightᵀ + bias_factor * bias, of matrices."""
    if is_traced():
        return torch.mm(x, weight.t()) + bias * bias_factor
    return torch.addmm(bias, x, weight.t(), beta=bias_factor)


def in_dtypes(
    tensors: Sequence[Tensor | None], dtypes: Sequence[torch.dtype | None]
) -> list[Tensor | None]:
    """Each in its dtype, by one operator for all; what is None stays so."""
    made = list(tensors)
    others = [
        i
        for i, tensor in enumerate(tensors)
        if tensor is not None and dtypes[i] is not None and tensor.dtype != dtypes[i]
    ]
    if others:
        old = [cast(Tensor, tensors[i]) for i in others]
        new = [torch.empty_like(t, dtype=dtypes[i]) for t, i in zip(old, others, strict=True)]
        torch._foreach_copy_(new, old)
        for i, tensor in zip(others, new, strict=True):
            made[i] = tensor
    return made


def rows_of(x: Tensor) -> Tensor:
    """(batch, channels, positions) -> (batch * positions, channels), a view of what is channels-last."""
    return x.transpose(1, 2).flatten(0, 1)


def positions_of(rows: Tensor, batch: int) -> Tensor:
    """The inverse of `rows_of`."""
    return rows.unflatten(0, (batch, -1)).transpose(1, 2)
