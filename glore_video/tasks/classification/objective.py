"""Losses of classes, with mixup, cutmix and label smoothing where they are wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""(inputs float, classes int64 (n,), generator) -> (inputs, soft targets float32 (n, classes))."""


@dataclass(frozen=True)
class ClassLoss(ABC):
    """The mean over all inputs of a loss that each has.

    Args:
        mix: what makes targets soft, such as Mixing; None: the loss takes the classes as they are.
    """

    mix: Mix | None = None

    @abstractmethod
    def of_each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n,) of logits (n, classes) and targets int64 (n,) or float32 (n, classes)."""

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
        return self.of_each(outputs.float(), targets).sum()


@dataclass(frozen=True)
class CrossEntropy(ClassLoss):
    """Of the softmax over all classes."""

    def of_each(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="none")


@dataclass(frozen=True)
class BinaryCrossEntropy(ClassLoss):
    """Of each class' sigmoid by itself, the mean over classes, as in timm (arXiv:2110.00476).

    Args:
        threshold: soft targets above it are 1 and the others 0; 0: they are taken as they are.
    """

    threshold: float = 0.0

    def of_each(self, logits: Tensor, targets: Tensor) -> Tensor:
        soft = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1])
        if self.threshold:
            soft = soft > self.threshold
        wanted = soft.to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(1)
