"""The pre-activated form of a GloRe unit: a batch norm and a ReLU before each of its convolutions.

As in the paper's picture networks, which are pre-activation ResNets.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from glore_video.models.units.plain_layers import is_plain, is_pointwise
from glore_video.models.units.tensors import as_number

_EPS = 1e-4


class PreactivatedConv(nn.Module):
    """Batch norm, ReLU, pointwise convolution without bias.

    Args:
        batch_norm, convolution: torch's classes of the dimension.
        in_channels, out_channels: widths.

    Shapes: (batch, in_channels, *positions) -> (batch, out_channels, *positions).
    """

    bn: _BatchNorm
    conv: _ConvNd

    def __init__(
        self, batch_norm: Any, convolution: Any, in_channels: int, out_channels: int
    ) -> None:
        super().__init__()
        self.bn = batch_norm(in_channels, eps=_EPS)
        self.relu = nn.ReLU(inplace=True)
        self.conv = convolution(in_channels, out_channels, kernel_size=1, bias=False)

    def activate(self, x: Tensor) -> Tensor:
        """What the convolution takes."""
        return self.relu(self.bn(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.activate(x))


class PreactivatedGraphConvolution(nn.Module):
    """`GraphConvolution` with a batch norm and a ReLU before both of its convolutions.

    Computes H = conv1(relu(bn1(V))) + V, which mixes the nodes, and conv2(relu(bn2(H))), which mixes
    the states of each node. The channels of `bn1` are the nodes, those of `bn2` the states.

    Args:
        nodes: number of graph nodes.
        states: number of features of each node.

    Shapes: (batch, states, nodes) -> (batch, states, nodes).
    """

    def __init__(self, nodes: int, states: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm1d(nodes, eps=_EPS)
        self.conv1 = nn.Conv1d(nodes, nodes, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm1d(states, eps=_EPS)
        self.conv2 = nn.Conv1d(states, states, kernel_size=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, V: Tensor) -> Tensor:  # noqa: N803
        mixed = self.conv1(self.relu(self.bn1(V.transpose(1, 2))))  # (batch, nodes, states)
        return self.conv2(self.relu(self.bn2(mixed.transpose(1, 2) + V)))


class PreactivatedLayers(Protocol):
    """What is used here of a GloRe unit in this form."""

    conv_state: Any  # PreactivatedConv, as the other two
    conv_proj: Any
    gcn: Any  # a PreactivatedGraphConvolution
    conv_extend: Any
    normalize: bool
    scale: float


def preactivated(unit: PreactivatedLayers, x: Tensor, *, reassociate: bool) -> Tensor:
    """The unit of x, (batch, channels, *positions).

    Args:
        unit: the unit.
        x: its input.
        reassociate: take V as W_s (relu(bn(X)) Bᵀ), in which nothing of (states x positions) is made
            before the graph. After it the batch norm before `conv_extend` needs all positions.
    """
    B = unit.conv_proj(x).flatten(2)  # (batch, nodes, positions)
    length = as_number(B.shape[2])
    factor = (unit.scale / length if unit.normalize else unit.scale) ** 0.5
    scaled = B if not unit.normalize and unit.scale == 1 else B * factor
    take = unit.conv_state.activate if reassociate else unit.conv_state
    X = take(x).flatten(2)  # (batch, channels or states, positions)
    X = X if scaled is B else X * factor
    V = torch.matmul(X, scaled.transpose(1, 2))  # (batch, channels or states, nodes)
    if reassociate:
        V = torch.matmul(unit.conv_state.conv.weight.flatten(1), V)  # (batch, states, nodes)
    y = torch.matmul(unit.gcn(V), B).unflatten(2, x.shape[2:])  # (batch, states, *positions)
    return x + unit.conv_extend(y)


def state_can_move(unit: PreactivatedLayers, convolution: type[nn.Module]) -> bool:
    """Whether the state's weights may be read instead of calling the layer."""
    layers: dict[str, Any] = cast(nn.Module, unit)._modules
    state = layers["conv_state"]
    return is_plain(state, PreactivatedConv) and is_pointwise(state.conv, convolution, bias=False)
