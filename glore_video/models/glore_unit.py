"""The global reasoning (GloRe) unit.

Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, section 3; layer names and
computation as in `network/global_reasoning_unit.py` of facebookresearch/GloRe.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_LAYERS: dict[int, tuple[type[nn.Module], type[nn.Module]]] = {
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
        self.conv2 = nn.Conv1d(states, states, kernel_size=1, bias=False)

    def forward(self, V: Tensor) -> Tensor:  # noqa: N803
        mixed = self.conv1(V.transpose(1, 2)).transpose(1, 2)  # (batch, states, nodes)
        return self.conv2(self.relu(mixed + V))


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

    Args:
        channels: channels of the feature map.
        nodes: graph nodes; channels // 4 by default.
        states: features of each node; channels // 2 by default.
        dimension: 1, 2 or 3, the number of position axes.
        normalize: divide V by the number of positions, so that the output does not grow with the
            input size (without it, fp16 overflows easily). The published weights were trained
            with it off.

    Shapes: (batch, channels, *positions) -> the same, with `dimension` position axes of any size.

    Raises:
        ValueError: for widths below 1, another dimension, or an input of another shape.
    """

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        dimension: int = 3,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        if dimension not in _LAYERS:
            raise ValueError(f"dimension must be 1, 2 or 3, got {dimension}")
        nodes = channels // 4 if nodes is None else nodes
        states = channels // 2 if states is None else states
        for name, width in (("channels", channels), ("nodes", nodes), ("states", states)):
            if width < 1:
                raise ValueError(f"{name} must be at least 1, got {width} (channels={channels})")
        conv, batch_norm = _LAYERS[dimension]
        self.channels = channels
        self.nodes = nodes
        self.states = states
        self.dimension = dimension
        self.normalize = normalize
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
        if x.dim() != self.dimension + 2 or x.shape[1] != self.channels:
            raise ValueError(
                f"GloreUnit needs (batch, {self.channels}, {self.dimension} position axes), "
                f"got shape {tuple(x.shape)}"
            )
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
        y = torch.matmul(Z, B).unflatten(2, x.shape[2:])  # (batch, states, *positions)
        return x + self.blocker(self.conv_extend(y))

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, nodes={self.nodes}, states={self.states}, "
            f"normalize={self.normalize}"
        )


class GloreUnit1d(GloreUnit):
    """`GloreUnit` for (batch, channels, length)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
    ) -> None:
        super().__init__(channels, nodes, states, dimension=1, normalize=normalize)


class GloreUnit2d(GloreUnit):
    """`GloreUnit` for (batch, channels, height, width)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
    ) -> None:
        super().__init__(channels, nodes, states, dimension=2, normalize=normalize)


class GloreUnit3d(GloreUnit):
    """`GloreUnit` for (batch, channels, frames, height, width)."""

    def __init__(
        self,
        channels: int,
        nodes: int | None = None,
        states: int | None = None,
        *,
        normalize: bool = True,
    ) -> None:
        super().__init__(channels, nodes, states, dimension=3, normalize=normalize)
