"""Classes, confused pairs and worst mistakes, counted by hand."""

import math

import numpy as np
import torch

from glore_video.tasks.classification.classwise import (
    class_rows,
    confused_pairs,
    confusion,
    worst_mistakes,
)

LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
PREDICTED = torch.tensor([0, 1, 1, 1, 2, 1])
MATRIX = [[1, 2, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_confusion_has_labels_in_rows():
    assert confusion(PREDICTED, LABELS, num_classes=4).tolist() == MATRIX
    nothing = torch.zeros(0, dtype=torch.int64)
    assert confusion(nothing, nothing, num_classes=2).tolist() == [[0, 0], [0, 0]]


def test_confusion_is_torchmetrics():
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    generator = torch.Generator().manual_seed(0)
    predicted, labels = torch.randint(7, (2, 500), generator=generator)
    expected = multiclass_confusion_matrix(predicted, labels, num_classes=7)
    assert confusion(predicted, labels, num_classes=7).tolist() == expected.tolist()


def test_rows():
    in_top5 = np.array([True, True, False, True, True, False])
    first, second, third, empty = class_rows(np.array(MATRIX), in_top5, LABELS.numpy())
    assert (first.samples, second.samples, third.samples, empty.samples) == (3, 2, 1, 0)
    assert (round(first.top1, 3), round(first.top5, 3)) == (33.333, 66.667)
    assert (first.precision, second.precision, third.precision) == (100.0, 25.0, 0.0)
    assert (first.taken_for, second.taken_for, third.taken_for) == ((1, 2), (2, 1), (1, 1))
    assert empty.taken_for is None
    assert all(math.isnan(value) for value in (empty.top1, empty.top5, empty.precision))


def test_pairs():
    pairs = confused_pairs(np.array(MATRIX), 10)
    assert [(pair.label, pair.predicted, pair.samples) for pair in pairs] == [
        (0, 1, 2),
        (1, 2, 1),
        (2, 1, 1),
    ]
    assert [round(pair.share, 1) for pair in pairs] == [66.7, 50.0, 100.0]
    assert len(confused_pairs(np.array(MATRIX), 2)) == 2
    assert confused_pairs(np.eye(3, dtype=np.int64), 5) == []


def test_worst_mistakes_are_those_furthest_from_their_label():
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])
    labels = torch.tensor([1, 1, 0, 0])
    assert worst_mistakes(scores, labels, 5) == [2, 0, 3]
    assert worst_mistakes(scores, labels, 1) == [2]
    assert worst_mistakes(scores[:0], labels[:0], 5) == []
