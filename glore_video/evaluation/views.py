"""From the logits of a video's views to its prediction, and from predictions to accuracies."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy


def video_probabilities(logits: Tensor) -> Tensor:
    """Mean over views of the softmax.

    Args:
        logits: float (..., views, classes).

    Returns:
        float64 (..., classes), each row sums to 1.
    """
    return logits.double().softmax(dim=-1).mean(dim=-2)


def top_k_accuracy(scores: Tensor, labels: Tensor, k: int) -> float:
    """Percent of rows of scores (rows, classes) whose label is among the k greatest.

    k is cut to the number of classes. No rows give NaN.
    """
    if not len(labels):
        return float("nan")
    num_classes = scores.shape[1]
    accuracy = multiclass_accuracy(
        scores, labels, num_classes=num_classes, top_k=min(k, num_classes), average="micro"
    )
    return 100 * float(accuracy)


def clip_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Percent of single views, (videos, views, classes), that are right by themselves."""
    views = logits.shape[1]
    return top_k_accuracy(logits.flatten(0, 1), labels.repeat_interleave(views), 1)


def top_predictions(probabilities: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Values and classes (videos, min(k, classes)), the most probable first."""
    return torch.topk(probabilities, min(k, probabilities.shape[-1]), dim=-1)
