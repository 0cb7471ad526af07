"""Cross-entropy of classes, with mixup, cutmix and label smoothing where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""(inputs float, classes int64 (n,), generator) -> (inputs, soft targets float32 (n, classes))."""


@dataclass(frozen=True)
class CrossEntropy:
    """The mean over all inputs.

    Args:
        mix: what makes targets soft, such as Mixing; None: the loss takes the classes as they are.
    """

    mix: Mix | None = None

    def prepare(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and targets after mixing: int64 (n,), or float32 (n, classes)."""
        return self.mix(inputs, targets, generator) if self.mix else (inputs, targets)

    def weight(self, targets: Tensor) -> float:
        """The number of inputs."""
        return len(targets)

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (n, classes), in float32."""
        return F.cross_entropy(outputs.float(), targets, reduction="sum")
