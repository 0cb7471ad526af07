"""What stands at the end of a GloRe unit, before its output is added to its input.

Each starts at zero, so that a new unit is the identity.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

_EPS = 1e-4  # of the published video code

End = Literal["batch_norm", "gamma", "joint_batch_norm"]
ENDS: tuple[End, ...] = ("batch_norm", "gamma", "joint_batch_norm")


class LearnedScale(nn.Module):
    """One learned scalar, gamma, that multiplies every number; zero at start.

    Shapes: any -> the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.to(x.dtype)


class JointBatchNorm(nn.Module):
    """Batch norm over all channels as one: one mean, one variance, one weight, one bias.

    The norm inside is torch's of one channel, so that it can be synchronised, split or frozen as
    others are.

    Shapes: (batch, channels, *positions) -> the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        joined = self.norm(x.flatten(1)[:, None])  # (batch, 1, channels * positions)
        return joined.reshape(x.shape)


def make_end(end: End, channels: int, batch_norm: Any) -> nn.Module:
    """A new end; `batch_norm` is torch's of the unit's dimension."""
    if end == "gamma":
        return LearnedScale()
    if end == "joint_batch_norm":
        return JointBatchNorm()
    return batch_norm(channels, eps=_EPS)
