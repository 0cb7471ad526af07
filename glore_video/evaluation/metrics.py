"""Figures of a whole test, by torchmetrics, in percent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multilabel_average_precision,
)

from glore_video.evaluation.views import top_k_accuracy

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Accuracies:
    """Percent; NaN without videos.

    Attributes:
        top1, top5: videos whose label is the most probable class, or among the first five.
        class_mean: mean of the classes' top-1, over those that have videos.
    """

    top1: float
    top5: float
    class_mean: float


def accuracies(probabilities: Tensor, labels: Tensor) -> Accuracies:
    """For float (videos, classes) and int64 (videos,)."""
    return Accuracies(
        top1=top_k_accuracy(probabilities, labels, 1),
        top5=top_k_accuracy(probabilities, labels, 5),
        class_mean=mean_class_accuracy(probabilities, labels),
    )


def top5_tells(num_classes: int) -> bool:
    """Whether to show people a top-5 accuracy: among five classes of five every video is right."""
    return num_classes > 5


def class_accuracies(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Top-1 in percent of each class, float64 (classes,); NaN for those without videos."""
    num_classes = probabilities.shape[1]
    counts = torch.bincount(labels, minlength=num_classes)
    if not len(labels):
        return torch.full((num_classes,), float("nan"), dtype=torch.float64)
    right = multiclass_accuracy(probabilities, labels, num_classes=num_classes, average=None)
    return torch.where(counts > 0, 100 * right.double(), float("nan"))


def mean_class_accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over the classes that have videos; a class without any does not count as wrong."""
    return float(class_accuracies(probabilities, labels).nanmean())


def mean_average_precision(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over classes of the average precision of "this class or not", ranked by probability.

    What is reported where a video may have several labels; classes without videos are left out.
    """
    present = torch.unique(labels)
    if not len(present):
        return float("nan")
    if len(present) == 1:
        return 100.0  # every video is of the class, so every ranking is right
    targets = (labels[:, None] == present[None]).long()  # (videos, present classes)
    return 100 * float(
        multilabel_average_precision(
            probabilities[:, present], targets, num_labels=len(present), average="macro"
        )
    )


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error: |confidence - accuracy| over bins of confidence, by videos."""
    if not len(labels):
        return float("nan")
    return 100 * float(
        multiclass_calibration_error(
            probabilities,
            labels,
            num_classes=probabilities.shape[1],
            n_bins=CALIBRATION_BINS,
            norm="l1",
        )
    )
