"""Top-1 accuracy of single inputs, in training and in validation, from additive counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from glore_video.tasks.classification.objective import ClassLoss, CrossEntropy
from glore_video.tasks.classification.ranking import (
    finite_rows,
    label_among_first,
    predicted_classes,
)
from glore_video.tasks.classification.views_merging import view_probabilities

_NAN = float("nan")


@dataclass(frozen=True)
class TrainingMeter:
    """Top-1 in percent of what a training step has seen; counts: correct inputs, inputs."""

    main: str = "top1"
    size: int = 2

    def count(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (n, classes) and classes (n,)."""
        correct = (predicted_classes(outputs.float()) == targets).sum()
        return torch.stack([correct, torch.full_like(correct, len(targets))]).double()

    def figures(self, counts: Tensor) -> dict[str, float]:
        correct, inputs = counts.tolist()
        return {"top1": 100 * correct / inputs if inputs else _NAN}

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        return _text(figures, decimals)


@dataclass(frozen=True)
class ValidationMeter:
    """Mean loss and top-1 in percent; counts: sum of losses, inputs in it, correct inputs, inputs.

    The loss is of the inputs whose logits are finite; the others count as wrong. Both figures are
    NaN if there is none.

    Args:
        loss: that is counted, of the classes as they are.
    """

    loss: ClassLoss = field(default_factory=CrossEntropy)
    main: str = "top1"
    size: int = 4

    def count(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (n, classes) and classes (n,)."""
        logits = outputs.float()
        finite = finite_rows(logits)
        losses = self.loss.of_each(logits, targets).double()
        correct = label_among_first(view_probabilities(logits), targets, 1)
        return torch.stack(
            [
                torch.where(finite, losses, 0).sum(),
                finite.sum().double(),
                correct.sum().double(),
                losses.new_full((), len(targets)),
            ]
        )

    def figures(self, counts: Tensor) -> dict[str, float]:
        loss, finite, correct, inputs = counts.tolist()
        if not finite:
            return {"loss": _NAN, "top1": _NAN}
        return {"loss": loss / finite, "top1": 100 * correct / inputs}

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        return _text(figures, decimals)


def _text(figures: Mapping[str, float], decimals: int) -> str:
    return f"top-1 {figures['top1']:.{decimals}f}%"
