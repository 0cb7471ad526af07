"""Top-k: which classes come first. One rule, for every figure and every list of predictions.

Scores are compared by their first 24 bits, those of a float32: where two classes have the same
logit, the last bits of their probabilities depend on how the processor adds up. Of equal scores the
class with the lower number comes first. Scores that are not all finite (NaN, infinity) have no
order: then there is no prediction, and no label is among the first.
"""

from __future__ import annotations

import torch
from torch import Tensor

NO_CLASS = -1
"""What stands for the class where there is no prediction."""

_SPLIT = 2.0**29 + 1  # of Dekker's splitting: leaves 53 - 29 bits


def predicted_classes(scores: Tensor) -> Tensor:
    """The first class of each row, float (..., classes) -> int64 (...); NO_CLASS if there is none.

    Scores are logits or probabilities, on any device; nothing here waits for it.
    """
    if not scores.numel():
        return scores.new_zeros(scores.shape[:-1], dtype=torch.int64)
    # Of equal values torch's argmax takes the first.
    return torch.where(finite_rows(scores), _compared(scores).argmax(dim=-1), NO_CLASS)


def first_classes(scores: Tensor, k: int) -> Tensor:
    """The first min(k, classes) classes of each row, int64 (..., min(k, classes))."""
    order = _compared(scores).argsort(dim=-1, descending=True, stable=True)[..., :k]
    return torch.where(finite_rows(scores)[..., None], order, NO_CLASS)


def label_among_first(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Whether the label is among the first k classes, bool (rows,) for (rows, classes), (rows,)."""
    if k == 1:
        return predicted_classes(scores) == labels
    return (first_classes(scores, k) == labels[:, None]).any(dim=1)


def finite_rows(scores: Tensor) -> Tensor:
    """Where all scores of a row are finite, bool (...)."""
    return torch.isfinite(scores).all(dim=-1)


def _compared(scores: Tensor) -> Tensor:
    if scores.dtype != torch.float64:
        return scores.float()
    high = scores * _SPLIT
    return high - (high - scores)
