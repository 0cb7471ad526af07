"""The graph convolution inside a GloRe unit."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from glore_video.models.units.plain_layers import is_plain, is_pointwise


class GraphConvolution(nn.Module):
    """One graph convolution over a fully connected graph with learned edges.

    Computes `conv2(relu(conv1(V) + V))`: `conv1` mixes the nodes, `conv2` the states of each node.

    Args:
        nodes: number of graph nodes.
        states: number of features of each node.
        relu: the ReLU between the two; without it the graph convolution is linear.

    Shapes: (batch, states, nodes) -> (batch, states, nodes).
    """

    relu: nn.Module

    def __init__(self, nodes: int, states: int, *, relu: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(nodes, nodes, kernel_size=1)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.conv2: nn.Module = nn.Conv1d(states, states, kernel_size=1, bias=False)

    def forward(self, V: Tensor) -> Tensor:  # noqa: N803
        mixed = self.conv1(V.transpose(1, 2)).transpose(1, 2)  # (batch, states, nodes)
        return self.conv2(self.relu(mixed + V))

    def has_own_layers(self) -> bool:
        """As `GloreUnit.has_own_layers`."""
        layers: dict[str, Any] = self._modules
        conv1, conv2 = layers["conv1"], layers["conv2"]
        return (
            is_plain(layers["relu"], nn.ReLU, nn.Identity)
            and is_pointwise(conv1, nn.Conv1d, bias=True)
            and conv1.out_channels == conv1.in_channels
            # `fuse_for_inference` folds conv2 into what follows.
            and (is_pointwise(conv2, nn.Conv1d, bias=False) or is_plain(conv2, nn.Identity))
        )
