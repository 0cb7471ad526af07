"""Pixel accuracy and mean intersection over union, from additive counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from glore_video.tasks.segmentation.objective import IGNORED, PixelCrossEntropy, main_output

_NAN = float("nan")


def confusion_counts(predicted: Tensor, targets: Tensor, num_classes: int) -> Tensor:
    """int64 (num_classes, num_classes): pixels by true class (rows) and predicted one (columns).

    Args:
        predicted, targets: integers of one shape; IGNORED targets count nowhere.
    """
    valid = targets != IGNORED
    pairs = targets[valid].long() * num_classes + predicted[valid].long()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


@dataclass(frozen=True)
class PixelMeter:
    """Pixel accuracy in percent of what a training step has seen; counts: correct pixels, pixels."""

    main: str = "pixel_accuracy"
    size: int = 2

    def count(self, outputs: Any, targets: Tensor) -> Tensor:
        """Of logits (n, classes, height, width) and targets (n, height, width)."""
        predicted = main_output(outputs).argmax(1)
        valid = targets != IGNORED
        correct = (predicted == targets) & valid
        return torch.stack([correct.sum(), valid.sum()]).double()

    def figures(self, counts: Tensor) -> dict[str, float]:
        correct, pixels = counts.tolist()
        return {"pixel_accuracy": 100 * correct / pixels if pixels else _NAN}

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        return f"pixels {figures['pixel_accuracy']:.{decimals}f}%"


@dataclass(frozen=True)
class IoUMeter:
    """Mean loss, mean IoU and pixel accuracy in percent.

    Counts: sum of losses, its weight, and the confusion matrix, row by row. Pictures whose outputs are
    not finite have no part in the loss; in the other figures all their pixels are wrong.

    Args:
        num_classes: of the network.
        loss: that is counted.
    """

    num_classes: int
    loss: PixelCrossEntropy = field(default_factory=PixelCrossEntropy)
    main: str = "miou"

    @property
    def size(self) -> int:
        return 2 + self.num_classes * (self.num_classes + 1)

    def count(self, outputs: Any, targets: Tensor) -> Tensor:
        """Of logits (n, classes, height, width) and targets (n, height, width)."""
        logits = main_output(outputs).float()
        finite = logits.isfinite().flatten(1).all(1)
        losses = self.loss.of_pixels(logits, targets).double().flatten(1).sum(1)
        weights = torch.stack([self.loss.weight(each).double() for each in targets])
        # A column more, of pixels without a prediction.
        predicted = torch.where(finite[:, None, None], logits.argmax(1), self.num_classes)
        valid = targets != IGNORED
        pairs = targets[valid] * (self.num_classes + 1) + predicted[valid]
        confusion = torch.bincount(pairs, minlength=self.num_classes * (self.num_classes + 1))
        sums = torch.stack(
            [torch.where(finite, losses, 0).sum(), torch.where(finite, weights, 0).sum()]
        )
        return torch.cat([sums, confusion.double()])

    def figures(self, counts: Tensor) -> dict[str, float]:
        loss, weight = counts[:2].tolist()
        confusion = counts[2:].view(self.num_classes, self.num_classes + 1)
        true = confusion.diagonal()
        union = confusion.sum(1) + confusion[:, :-1].sum(0) - true
        pixels = float(confusion.sum())
        present = union > 0
        return {
            "loss": loss / weight if weight else _NAN,
            "miou": float(100 * (true[present] / union[present]).mean()) if pixels else _NAN,
            "pixel_accuracy": 100 * float(true.sum()) / pixels if pixels else _NAN,
        }

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        return (
            f"mIoU {figures['miou']:.{decimals}f}%, pixels "
            f"{figures['pixel_accuracy']:.{decimals}f}%"
        )
