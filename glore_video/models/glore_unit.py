"""The global reasoning (GloRe) unit.

Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, section 3; layer names and
computation as in `network/global_reasoning_unit.py` of facebookresearch/GloRe.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from glore_video.errors import UsageError
from glore_video.models.glore_unit_orders import (
    ORDERS,
    Order,
    cheaper_order,
    computing_dtype,
    reassociated,
)
from glore_video.models.position_products import batched_multiply_add, is_traced

_LAYERS: dict[int, tuple[Any, Any]] = {
    1: (nn.Conv1d, nn.BatchNorm1d),
    2: (nn.Conv2d, nn.BatchNorm2d),
    3: (nn.Conv3d, nn.BatchNorm3d),
}


class GraphConvolution(nn.Module):
    """One graph convolution over a fully connected graph with learned edges.

    Computes `conv2(relu(conv1(V) + V))`: `conv1` mixes the nodes, `conv2` the states of each node.

    Args:
        nodes: number of graph nodes.
        states: number of features of each node.

    Shapes: (batch, states, nodes) -> (batch, states, nodes).
    """

    def __init__(self, nodes: int, states: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(nodes, nodes, kernel_size=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2: nn.Module = nn.Conv1d(states, states, kernel_size=1, bias=False)

    def forward(self, V: Tensor) -> Tensor:  # noqa: N803
        mixed = self.conv1(V.transpose(1, 2)).transpose(1, 2)  # (batch, states, nodes)
        return self.conv2(self.relu(mixed + V))

    def reason(self, v: Tensor, bias_scale: Tensor | float = 1.0) -> Tensor:
        """The same for a graph that lies node by node, with the bias of `conv1` scaled.

        (batch, nodes, states) -> (batch, nodes, states); computed in the dtype of `v`. `bias_scale`
        is a number or (batch, 1, 1): scaling V and this bias alike scales the result alike.
        """
        edges = self.conv1.weight.squeeze(2).to(v.dtype).expand(v.shape[0], -1, -1)
        bias = self.conv1.bias[:, None] * bias_scale  # type: ignore[index]
        h = batched_multiply_add(v, edges, v).add_(bias.to(v.dtype)).relu_()
        if isinstance(self.conv2, nn.Identity):  # fused into what follows
            return h
        weight = cast(Tensor, self.conv2.weight)
        return nn.functional.linear(h, weight.squeeze(2).to(v.dtype))


class GloreUnit(nn.Module):
    """Global reasoning unit: project positions onto nodes, reason over the nodes, project back.

    With X of (batch, channels, L positions):

        B = conv_proj(X)                                (batch, nodes, L)
        V = conv_state(X) Bᵀ, divided by L if normalize (batch, states, nodes)
        Z = gcn(V) = conv2(relu(conv1(V) + V))          (batch, states, nodes)
        Y = X + blocker(conv_extend(Z B))               (batch, channels, L)

    The paper writes the reasoning as Z = ((I - A) V) W. The published video code, followed here,
    adds where the paper subtracts (learning absorbs the sign), biases the node mixing and puts a
    ReLU between the two products. Module names are the published ones.

    `blocker`, the last batch norm, starts with a zero weight: a new unit is exactly the identity.

    `order` chooses how the same function is computed. "published": layer by layer, as written
    above. "reassociated": V as W_s (X Bᵀ) + b_s (Σ B)ᵀ and extend(Z B) as (W_e Z) B, with the batch
    norm folded into W_e Z and all that is summed over positions kept in range in fp16; faster, and
    in training it saves only X, B and matrices without a position axis. It reads the layers'
    parameters without calling them, so their hooks do not run. "auto" takes what needs fewer
    multiply-adds for the number of positions at hand, the reassociated order in fp16, which
    overflows in the published one, and the published order wherever a layer was replaced by one of
    another type (see `resolve_order`). Counters of multiply-adds (fvcore's, torch's) count the order
    that runs.

    Args:
        channels: channels of the feature map.
        nodes: graph nodes; channels // 4 by default.
        states: features of each node; channels // 2 by default.
        dimension: 1, 2 or 3, the number of position axes.
        normalize: divide V by the number of positions, so that the output does not grow with the
            input size (without it, fp16 overflows easily). The published weights were trained
            with it off.
        order: "auto", "published" or "reassociated"; also an attribute, to be changed at any time.

    Shapes: (batch, channels, *positions) -> the same, with `dimension` position axes of any size;
    channels-last in, channels-last out.

    Raises:
        ValueError: for widths below 1, another dimension or order, or an input of another shape.
    """

    conv_state: _ConvNd
    conv_proj: _ConvNd
    conv_extend: _ConvNd
    blocker: nn.Module
    # What the weight of `conv_extend` is to be multiplied by: `fuse_for_inference` takes a factor
    # out of it that fp16 could not hold.
    extend_scale: float = 1.0

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        dimension: int = 3,
        normalize: bool = True,
        order: Order = "auto",
    ) -> None:
        super().__init__()
        if dimension not in _LAYERS:
            raise UsageError(f"dimension must be 1, 2 or 3, got {dimension}")
        if order not in ORDERS:
            raise UsageError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
        nodes = channels // 4 if nodes is None else nodes
        states = channels // 2 if states is None else states
        for name, width in (("channels", channels), ("nodes", nodes), ("states", states)):
            if width < 1:
                raise UsageError(f"{name} must be at least 1, got {width} (channels={channels})")
        conv, batch_norm = _LAYERS[dimension]
        self.channels = channels
        self.nodes = nodes
        self.states = states
        self.dimension = dimension
        self.normalize = normalize
        self.order: Order = order
        self.conv_state = conv(channels, states, kernel_size=1)
        self.conv_proj = conv(channels, nodes, kernel_size=1)
        self.gcn = GraphConvolution(nodes, states)
        self.conv_extend = conv(states, channels, kernel_size=1, bias=False)
        self.blocker = batch_norm(channels, eps=1e-4)
        self.zero_init()

    def zero_init(self) -> None:
        """Zeroes the weight and bias of `blocker`, which makes the unit the identity."""
        for parameter in self.blocker.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        if not self.fits(x):
            raise UsageError(
                f"GloreUnit needs (batch, {self.channels}, {self.dimension} position axes), "
                f"got shape {tuple(x.shape)}"
            )
        with _profiled():
            if self.resolve_order(math.prod(x.shape[2:]), computing_dtype(x)) == "published":
                return self._published(x)
            return reassociated(self, x)

    def fits(self, x: Tensor) -> bool:
        """Whether the unit was made for the channels and position axes of x."""
        return x.dim() == self.dimension + 2 and x.shape[1] == self.channels

    def resolve_order(
        self, positions: int, dtype: torch.dtype = torch.float32
    ) -> Literal["published", "reassociated"]:
        """The order in which so many positions a clip are computed, with products in `dtype`."""
        if self.order == "published" or not self._has_plain_layers():
            return "published"
        if self.order == "reassociated" or dtype == torch.float16:
            return "reassociated"
        return cheaper_order(self.channels, self.nodes, self.states, positions)

    def _published(self, x: Tensor) -> Tensor:
        X = self.conv_state(x).flatten(2)  # (batch, states, positions)
        B = self.conv_proj(x).flatten(2)  # (batch, nodes, positions)
        if self.normalize:
            # Half of 1 / L on each factor: neither the product overflows nor a factor underflows
            # in half precision.
            scale = 1 / math.sqrt(X.shape[2])
            V = torch.matmul(X * scale, (B * scale).transpose(1, 2))  # (batch, states, nodes)
        else:
            V = torch.matmul(X, B.transpose(1, 2))  # (batch, states, nodes)
        Z = self.gcn(V)
        if self.extend_scale != 1:
            Z = Z * self.extend_scale
        y = torch.matmul(Z, B).unflatten(2, x.shape[2:])  # (batch, states, *positions)
        return x + self.blocker(self.conv_extend(y))

    def _has_plain_layers(self) -> bool:
        conv = _LAYERS[self.dimension][0]
        return (
            type(self.conv_state) is type(self.conv_proj) is type(self.conv_extend) is conv
            and type(self.gcn) is GraphConvolution
            and type(self.gcn.conv1) is nn.Conv1d
            and type(self.gcn.conv2) in (nn.Conv1d, nn.Identity)
        )

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, nodes={self.nodes}, states={self.states}, "
            f"normalize={self.normalize}, order={self.order!r}"
        )


def _profiled() -> AbstractContextManager[object]:
    """Names the unit in profiles; a graph that is being captured has no use for it."""
    if torch.compiler.is_compiling() or is_traced():
        return nullcontext()
    return torch.profiler.record_function("glore_unit")


class GloreUnit1d(GloreUnit):
    """`GloreUnit` for (batch, channels, length)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
        order: Order = "auto",
    ) -> None:
        super().__init__(channels, nodes, states, dimension=1, normalize=normalize, order=order)


class GloreUnit2d(GloreUnit):
    """`GloreUnit` for (batch, channels, height, width)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
        order: Order = "auto",
    ) -> None:
        super().__init__(channels, nodes, states, dimension=2, normalize=normalize, order=order)


class GloreUnit3d(GloreUnit):
    """`GloreUnit` for (batch, channels, frames, height, width)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
        order: Order = "auto",
    ) -> None:
        super().__init__(channels, nodes, states, dimension=3, normalize=normalize, order=order)
