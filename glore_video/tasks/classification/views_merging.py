"""From the logits of a sample's views to its prediction, and from predictions to accuracies."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from glore_video.choices import Merging, check_choice
from glore_video.tasks.classification.ranking import (
    first_classes,
    label_among_first,
    predicted_classes,
)

_CHUNK_NUMBERS = 4_000_000  # logits that are turned to float64 at a time: 32 MB


def merged_probabilities(logits: Tensor, *, method: Merging = "mean") -> Tensor:
    """One distribution over the classes from those of the views.

    Args:
        logits: float (..., views, classes); only a part of it is copied at a time.
        method: "mean" of the views' softmax, which is what a test reports; "max" over views of the
            softmax, scaled to sum to 1; "logit_mean": softmax of the mean logits.

    Returns:
        float64 (..., classes), each row sums to 1. NaN where a logit of any view is not finite.

    Raises:
        ValueError: for an unknown method.
    """
    check_choice("method", method, Merging)
    *leading, views, classes = logits.shape
    samples = math.prod(leading)
    logits = logits.reshape(samples, views, classes)
    combined = torch.empty(samples, classes, dtype=torch.float64)
    for part in parts(logits):
        combined[part] = _combined(logits[part], method)
    return combined.reshape(*leading, classes)


def parts(logits: Tensor) -> Iterator[slice]:
    """Samples of (samples, views, classes), few enough at a time to be turned to float64."""
    samples, views, classes = logits.shape
    step = max(1, _CHUNK_NUMBERS // max(1, views * classes))
    return (slice(start, start + step) for start in range(0, samples, step))


def view_probabilities(logits: Tensor) -> Tensor:
    """The softmax of each view, float64 (..., classes); NaN where a logit is not finite."""
    finite = torch.isfinite(logits).all(dim=-1, keepdim=True)
    return logits.double().softmax(dim=-1).masked_fill_(~finite, float("nan"))


def _combined(logits: Tensor, method: Merging) -> Tensor:
    """float (samples, views, classes) -> float64 (samples, classes)."""
    if method == "logit_mean":
        combined = logits.double().mean(dim=-2).softmax(dim=-1)
    elif method == "mean":
        combined = logits.double().softmax(dim=-1).mean(dim=-2)
    else:
        greatest = logits.double().softmax(dim=-1).amax(dim=-2)
        combined = greatest / greatest.sum(dim=-1, keepdim=True)
    finite = torch.isfinite(logits).flatten(-2).all(dim=-1, keepdim=True)
    return combined.masked_fill_(~finite, float("nan"))


def top_k_accuracy(scores: Tensor, labels: Tensor, k: int) -> float:
    """Percent of rows of scores (rows, classes) whose label is among the k first; see `ranking`.

    No rows give NaN.
    """
    if not len(labels):
        return float("nan")
    return 100 * float(label_among_first(scores, labels, k).double().mean())


def clip_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Percent of single views, (samples, views, classes), that are right by themselves."""
    if not logits.numel():
        return float("nan")
    right = [
        predicted_classes(view_probabilities(logits[part])) == labels[part, None]
        for part in parts(logits)
    ]
    return 100 * float(torch.cat(right).double().mean())


def top_predictions(probabilities: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Values and classes (samples, min(k, classes)), the first first; see `ranking`.

    Without a prediction the values are NaN, and the classes NO_CLASS.
    """
    classes = first_classes(probabilities, k)
    values = probabilities.gather(-1, classes.clamp(min=0))
    return values.masked_fill_(classes < 0, float("nan")), classes
