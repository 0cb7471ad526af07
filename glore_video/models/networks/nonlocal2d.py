"""The non-local block of networks for pictures; pytorchvideo has the one for clips."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Instantiation = Literal["softmax", "dot_product"]


class NonLocal2d(nn.Module):
    """Non-local block: attention between all positions of a map, added to it.

    Wang et al., "Non-local Neural Networks", CVPR 2018, equations 1 to 6, with the names, the scale of
    the softmax and the order of pytorchvideo's block, which takes clips: on one frame they are equal.

    Args:
        channels: of the map.
        inner_channels: of queries, keys and values.
        pool: max-pooling of keys and values, in height and width.
        instantiation: affinities are normalised by a softmax, or by the number of keys.

    Shapes: (batch, channels, height, width), in and out.
    """

    def __init__(
        self,
        channels: int,
        inner_channels: int,
        *,
        pool: tuple[int, int],
        instantiation: Instantiation,
    ) -> None:
        super().__init__()
        self.conv_theta = nn.Conv2d(channels, inner_channels, 1)
        self.pool = nn.MaxPool2d(pool) if max(pool) > 1 else nn.Identity()
        self.conv_phi = nn.Conv2d(channels, inner_channels, 1)
        self.conv_g = nn.Conv2d(channels, inner_channels, 1)
        self.conv_out = nn.Conv2d(inner_channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        self.instantiation = instantiation

    def forward(self, x: Tensor) -> Tensor:
        queries = self.conv_theta(x)  # (batch, inner, h, w)
        pooled = self.pool(x)
        keys = self.conv_phi(pooled).flatten(2)  # (batch, inner, m)
        values = self.conv_g(pooled).flatten(2)  # (batch, inner, m)
        attend = _softmax if self.instantiation == "softmax" else _dot_product
        attended = attend(queries.flatten(2), keys, values)  # (batch, inner, h * w)
        return x + self.norm(self.conv_out(attended.unflatten(2, queries.shape[2:])))


def _softmax(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The affinities, (batch, h * w, m), are never held as a whole where torch has a kernel for it."""
    # Heads of one, positions before channels, and these beside each other: what the kernels take.
    q, k, v = (each.mT[:, None].contiguous() for each in (queries, keys, values))
    return F.scaled_dot_product_attention(q, k, v)[:, 0].mT  # over the square root of inner


def _dot_product(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    affinities = queries.mT @ keys / keys.shape[2]  # (batch, h * w, m)
    return values @ affinities.mT
