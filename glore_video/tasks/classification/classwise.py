"""Class by class: how many samples are right, and what the others are taken for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glore_video.tasks.classification.ranking import NO_CLASS


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
        number: of the class.
        samples: with this label.
        top1, top5: of these, percent; NaN without samples.
        precision: of the samples that are called so, percent that are; NaN if none is called so.
        taken_for: the class that most of its wrong samples are taken for, and how many; None if
            there are none.
    """

    number: int
    samples: int
    top1: float
    top5: float
    precision: float
    taken_for: tuple[int, int] | None


@dataclass(frozen=True)
class ConfusedPair:
    """`samples` of class `label` are called `predicted`; `share` of the class' samples, percent."""

    label: int
    predicted: int
    samples: int
    share: float


def confusion(predicted: Tensor, labels: Tensor, *, num_classes: int) -> np.ndarray:
    """int64 (classes, classes): samples by label (rows) and prediction (columns).

    Samples without a prediction (NO_CLASS) are not in it.
    """
    some = predicted != NO_CLASS
    cells = labels[some] * num_classes + predicted[some]
    counts = torch.bincount(cells, minlength=num_classes**2)
    return counts.view(num_classes, num_classes).numpy()


def class_rows(matrix: np.ndarray, in_top5: np.ndarray, labels: np.ndarray) -> Iterator[ClassRow]:
    """All classes, in order.

    Args:
        matrix: of `confusion`.
        in_top5: bool (samples,), whether the label is among the first five.
    """
    num_classes = len(matrix)
    samples, called = np.bincount(labels, minlength=num_classes), matrix.sum(axis=0)
    top5 = np.bincount(labels, weights=in_top5, minlength=num_classes)
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    worst = wrong.argmax(axis=1)
    for number in range(num_classes):
        right, most = int(matrix[number, number]), int(wrong[number, worst[number]])
        yield ClassRow(
            number=number,
            samples=int(samples[number]),
            top1=_percent(right, samples[number]),
            top5=_percent(top5[number], samples[number]),
            precision=_percent(right, called[number]),
            taken_for=(int(worst[number]), most) if most else None,
        )


def confused_pairs(matrix: np.ndarray, most: int) -> list[ConfusedPair]:
    """The pairs with the most samples, so many at most; of equal ones the first classes come first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    order = np.argsort(-counts, kind="stable")[:most]
    samples = matrix.sum(axis=1)
    return [
        ConfusedPair(label, predicted, count, _percent(count, samples[label]))
        for label, predicted, count in zip(
            rows[order].tolist(), columns[order].tolist(), counts[order].tolist(), strict=True
        )
    ]


def worst_mistakes(probabilities: Tensor, labels: Tensor, most: int) -> list[int]:
    """Places of the wrong samples whose wrong class is furthest above the right one, worst first.

    Those without a prediction are not among them.
    """
    if not len(labels):
        return []
    of_label = probabilities.gather(1, labels[:, None])[:, 0]
    margin = (probabilities.amax(dim=1) - of_label).nan_to_num(nan=-1.0)
    order = torch.argsort(margin, descending=True, stable=True)[:most]
    return [place for place in order.tolist() if margin[place] > 0]


def _percent(part: float, whole: float) -> float:
    return 100 * float(part) / float(whole) if whole else float("nan")
