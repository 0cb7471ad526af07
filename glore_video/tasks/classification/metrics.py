"""Figures of a whole test, in percent.

A sample whose scores are not finite counts as wrong in accuracies; in figures that rank or weigh
probabilities it does not count at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.statistics.calibration import Bin, reliability
from glore_video.tasks.classification.ranking import finite_rows, predicted_classes
from glore_video.tasks.classification.views_merging import top_k_accuracy


@dataclass(frozen=True)
class Accuracies:
    """Percent; NaN without samples, or if none has finite scores.

    Attributes:
        top1, top5: samples whose label is the most probable class, or among the first five.
        class_mean: mean of the classes' top-1, over those that have samples.
    """

    top1: float
    top5: float
    class_mean: float


def accuracies(probabilities: Tensor, labels: Tensor) -> Accuracies:
    """For float (samples, classes) and int64 (samples,)."""
    if not finite_rows(probabilities).any():
        return Accuracies(float("nan"), float("nan"), float("nan"))
    return Accuracies(
        top1=top_k_accuracy(probabilities, labels, 1),
        top5=top_k_accuracy(probabilities, labels, 5),
        class_mean=mean_class_accuracy(probabilities, labels),
    )


def top5_tells(num_classes: int) -> bool:
    """Whether to show people a top-5 accuracy: among five classes of five every sample is right."""
    return num_classes > 5


def class_accuracies(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Top-1 in percent of each class, float64 (classes,); NaN for those without samples."""
    num_classes = probabilities.shape[1]
    counts = torch.bincount(labels, minlength=num_classes)
    right = labels[predicted_classes(probabilities) == labels]
    return 100 * torch.bincount(right, minlength=num_classes).double() / counts


def mean_class_accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over the classes that have samples; a class without any does not count as wrong."""
    return float(class_accuracies(probabilities, labels).nanmean())


def mean_average_precision(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over classes of the average precision of "this class or not", ranked by probability.

    What is reported where a sample may have several labels; classes without samples are left out.
    """
    finite = finite_rows(probabilities)
    probabilities, labels = probabilities[finite], labels[finite]
    present = torch.unique(labels)
    if not len(present):
        return float("nan")
    if len(present) == 1:
        return 100.0  # every sample is of the class, so every ranking is right
    each = [average_precision(probabilities[:, one], labels == one) for one in present.tolist()]
    return 100 * sum(each) / len(each)


def average_precision(scores: Tensor, positive: Tensor) -> float:
    """Sum over thresholds, highest first, of the precision times what the recall gains.

    A threshold is every score that occurs, so that equal scores have no order among themselves.

    Args:
        scores: (samples,).
        positive: bool (samples,); at least one is true.
    """
    scores, order = scores.sort(descending=True)
    last_of_equals = torch.ones_like(positive)
    last_of_equals[:-1] = scores[1:] != scores[:-1]
    found = positive[order].cumsum(0)[last_of_equals].double()  # (thresholds,)
    called = last_of_equals.nonzero()[:, 0] + 1  # (thresholds,), samples at or above each
    gained = found.diff(prepend=found.new_zeros(1))
    return float((gained * found / called).sum() / found[-1])


def calibration_bins(probabilities: Tensor, labels: Tensor) -> list[Bin]:
    """Accuracy by confidence, the greatest probability, in bins of equal width."""
    finite = finite_rows(probabilities)
    probabilities, labels = probabilities[finite], labels[finite]
    right = predicted_classes(probabilities) == labels
    return reliability(probabilities.amax(dim=1).double().numpy(), right.numpy())


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error: |confidence - accuracy| over bins of confidence, by samples."""
    bins = calibration_bins(probabilities, labels)
    if not bins:
        return float("nan")
    gaps = sum(each.samples * abs(each.confidence - each.accuracy) for each in bins)
    return 100 * gaps / sum(each.samples for each in bins)
