"""Pixel accuracy and mean intersection over union, from additive counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from glore_video.statistics.confusion import IGNORED, confusion_matrix, mean_iou, pixel_accuracy
from glore_video.tasks.segmentation.objective import PixelCrossEntropy, main_output
from glore_video.tasks.segmentation.placed_logits import highest

_NAN = float("nan")


@dataclass(frozen=True)
class PixelMeter:
    """Pixel accuracy in percent of what a training step has seen; counts: correct pixels, pixels."""

    main: str = "pixel_accuracy"
    size: int = 2

    def count(self, outputs: Any, targets: Tensor) -> Tensor:
        """Of logits (n, classes, height, width) and targets (n, height, width)."""
        predicted = highest(main_output(outputs).movedim(1, 0))
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
        finite = torch.stack([torch.stack(each.aminmax()).isfinite().all() for each in logits])
        losses = self.loss.of_pixels(logits, targets).double().flatten(1).sum(1)
        weights = torch.stack([self.loss.weight(each).double() for each in targets])
        # A column more, of pixels without a prediction.
        predicted = highest(logits.movedim(1, 0)).masked_fill_(
            ~finite[:, None, None], self.num_classes
        )
        columns = self.num_classes + 1
        confusion = confusion_matrix(predicted, targets, self.num_classes, columns=columns)
        sums = torch.stack(
            [torch.where(finite, losses, 0).sum(), torch.where(finite, weights, 0).sum()]
        )
        return torch.cat([sums, confusion.double().flatten()])

    def figures(self, counts: Tensor) -> dict[str, float]:
        loss, weight = counts[:2].tolist()
        matrix = counts[2:].view(self.num_classes, self.num_classes + 1).numpy()
        return {
            "loss": loss / weight if weight else _NAN,
            "miou": float(mean_iou(matrix)),
            "pixel_accuracy": float(pixel_accuracy(matrix)),
        }

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        return (
            f"mIoU {figures['miou']:.{decimals}f}%, pixels "
            f"{figures['pixel_accuracy']:.{decimals}f}%"
        )
