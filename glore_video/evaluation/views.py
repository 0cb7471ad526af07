"""From the logits of a video's views to its prediction, and from predictions to accuracies."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy

from glore_video.choices import Merging, check_choice

_CHUNK_NUMBERS = 4_000_000  # logits that are turned to float64 at a time: 32 MB


def video_probabilities(logits: Tensor, *, method: Merging = "mean") -> Tensor:
    """One distribution over the classes from those of the views.

    Args:
        logits: float (..., views, classes); only a part of it is copied at a time.
        method: "mean" of the views' softmax, which is what a test reports; "max" over views of the
            softmax, scaled to sum to 1; "logit_mean": softmax of the mean logits.

    Returns:
        float64 (..., classes), each row sums to 1.

    Raises:
        ValueError: for an unknown method.
    """
    check_choice("method", method, Merging)
    *leading, views, classes = logits.shape
    videos = math.prod(leading)
    logits = logits.reshape(videos, views, classes)
    combined = torch.empty(videos, classes, dtype=torch.float64)
    step = max(1, _CHUNK_NUMBERS // max(1, views * classes))
    for start in range(0, videos, step):
        combined[start : start + step] = _combined(logits[start : start + step], method)
    return combined.reshape(*leading, classes)


def _combined(logits: Tensor, method: Merging) -> Tensor:
    """float (videos, views, classes) -> float64 (videos, classes)."""
    if method == "logit_mean":
        return logits.double().mean(dim=-2).softmax(dim=-1)
    probabilities = logits.double().softmax(dim=-1)
    if method == "mean":
        return probabilities.mean(dim=-2)
    greatest = probabilities.amax(dim=-2)
    return greatest / greatest.sum(dim=-1, keepdim=True)


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
