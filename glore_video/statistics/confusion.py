"""Confusion matrices of segmentations, and what they say: intersection over union, accuracies.

A matrix counts pixels, one row a true class and one column a predicted one. Columns behind those of
the classes count pixels of a true class that are predicted as none: what the benchmark of
Cityscapes ignores may be predicted, and is wrong. Pixels whose true class is ignored are not
counted. Figures are in percent and take one matrix or many, (..., classes, columns); those of a data
set are of the sum of its pictures' matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import UsageError

IGNORED = 255
"""Of pixels that are neither trained nor tested."""


def confusion_matrix(
    prediction: Tensor, truth: Tensor, num_classes: int, *, columns: int | None = None
) -> Tensor:
    """Pixels by true and predicted class: int64 (num_classes, columns), on their device.

    Args:
        prediction: whole numbers below `columns`, of any shape.
        truth: whole numbers of the same shape, IGNORED where nothing is to be counted.
        columns: by default num_classes; see above.

    Raises UsageError for other numbers and shapes.
    """
    columns = num_classes if columns is None else columns
    if prediction.shape != truth.shape:
        raise UsageError(
            f"a prediction of shape {tuple(prediction.shape)} can't be held against a truth of shape "
            f"{tuple(truth.shape)}"
        )
    if not 0 < num_classes <= min(columns, IGNORED):
        raise UsageError(
            f"there must be from 1 to {IGNORED} classes and as many columns or more, got "
            f"{num_classes} and {columns}"
        )
    if not truth.numel():
        return torch.zeros((num_classes, columns), dtype=torch.int64, device=truth.device)
    _check_range("prediction", prediction, columns - 1)
    _check_range("truth", truth, IGNORED)
    # In 32 bits, and with a row for what is ignored: a tenth of the time of picking the others.
    places = (truth.int() * columns).add_(prediction).flatten()
    counts = torch.bincount(places, minlength=(IGNORED + 1) * columns).view(-1, columns)
    if strange := counts[num_classes:IGNORED].sum(1).nonzero().flatten().tolist():
        raise UsageError(
            f"a truth must hold 0 .. {num_classes - 1} or {IGNORED}, got {num_classes + strange[0]}"
        )
    return counts[:num_classes]


def _check_range(what: str, values: Tensor, last: int) -> None:
    low, high = (int(value) for value in torch.aminmax(values))
    if low < 0 or high > last:
        raise UsageError(f"a {what} must hold whole numbers from 0 to {last}, got {low} to {high}")


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """Intersection over union of each class (Jaccard index), float64 (..., classes).

    NaN for a class that is neither true nor predicted anywhere (as cityscapesscripts has it: one that
    is only predicted has 0).
    """
    matrix = _checked(matrix)
    classes = matrix.shape[-2]
    both = np.diagonal(matrix, axis1=-2, axis2=-1)  # (..., classes)
    return percent(both, matrix.sum(-1) + matrix[..., :classes].sum(-2) - both)


def group_iou(matrix: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """Intersection over union of groups of classes (Cityscapes' categories), float64 (..., groups).

    Args:
        groups: of each class, from 0.
    """
    return class_iou(grouped(matrix, groups))


def grouped(matrix: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """The confusion matrix of groups, (..., groups, groups + columns that are of no class)."""
    matrix = _checked(matrix)
    classes, columns = matrix.shape[-2:]
    if len(groups) != classes or (classes and min(groups) < 0):
        raise UsageError(f"each of {classes} classes needs a group from 0, got {list(groups)}")
    count = max(groups, default=-1) + 1
    of_row = np.eye(count)[list(groups)]  # (classes, groups)
    of_column = np.zeros((columns, count + columns - classes))
    of_column[:classes, :count] = of_row
    of_column[classes:, count:] = np.eye(columns - classes)
    return of_row.T @ matrix @ of_column


def class_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of the pixels of each class that are right (recall), float64 (..., classes).

    NaN for a class without pixels.
    """
    matrix = _checked(matrix)
    return percent(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(-1))


def pixel_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of all pixels that are right, float64 (...); NaN without any."""
    matrix = _checked(matrix)
    right = np.diagonal(matrix, axis1=-2, axis2=-1).sum(-1)
    return percent(right, matrix.sum((-2, -1)))


def mean_iou(matrix: np.ndarray) -> np.ndarray:
    """Mean of `class_iou` over the classes that have one (mIoU), float64 (...)."""
    return mean_of_known(class_iou(matrix))


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(-1)
    count = known.sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """100 * part / whole; NaN of nothing."""
    return np.where(whole > 0, 100.0 * part / np.where(whole > 0, whole, 1), np.nan)


def _checked(matrix: np.ndarray) -> np.ndarray:
    """As float64, exact for counts up to 2**53."""
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] < matrix.shape[-2]:
        raise UsageError(
            f"a confusion matrix must be (..., classes, classes or more), got shape {matrix.shape}"
        )
    return matrix
