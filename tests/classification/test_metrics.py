"""Figures by hand, and against plain numpy."""

import math

import numpy as np
import pytest
import torch

from glore_video.statistics.calibration import reliability
from glore_video.tasks.classification.metrics import (
    accuracies,
    average_precision,
    calibration_error,
    class_accuracies,
    mean_average_precision,
    mean_class_accuracy,
)

NOTHING = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)


def one_hot(predicted, num_classes=4):
    return torch.eye(num_classes, dtype=torch.float64)[torch.tensor(predicted)]


def test_class_mean_counts_only_classes_with_videos():
    # Class 0: 3 of 4 right; class 1: 0 of 1; classes 2 (called once) and 3: no videos.
    scores, labels = one_hot([0, 0, 0, 2, 0]), torch.tensor([0, 0, 0, 0, 1])
    found = class_accuracies(scores, labels).tolist()
    assert found[:2] == [75.0, 0.0]
    assert all(math.isnan(value) for value in found[2:])
    assert mean_class_accuracy(scores, labels) == 37.5
    assert accuracies(scores, labels).top1 == pytest.approx(60.0)


def test_average_precision_by_hand():
    # Class 0 ranks its videos 1st and 3rd of 3: (1/1 + 2/3) / 2. Class 1 its one video 2nd: 1/2.
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.3, 0.7, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0])
    assert mean_average_precision(scores, labels) == pytest.approx(100 * (5 / 6 + 1 / 2) / 2)


@pytest.mark.parametrize("different", [3, 20, 10**6])
def test_average_precision_is_torchmetrics(different):
    """With scores that take few values, many of them equal, or hardly any."""
    from torchmetrics.functional.classification import multilabel_average_precision

    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(different, (300, 4), generator=generator).double() / different
    labels = torch.randint(4, (300,), generator=generator)
    expected = multilabel_average_precision(
        scores, torch.nn.functional.one_hot(labels, 4), num_labels=4
    )
    assert mean_average_precision(scores, labels) == pytest.approx(100 * float(expected), rel=1e-6)


def test_equal_scores_have_no_order():
    # One threshold calls all four, of which one is right; in the file's order it would be the first.
    scores, positive = torch.full((4,), 0.5), torch.tensor([True, False, False, False])
    assert average_precision(scores, positive) == 0.25


def test_calibration_by_hand():
    # All confidences are 0.7: one bin, of which 1 of 4 is right.
    scores = torch.tensor([[0.7, 0.3]] * 4, dtype=torch.float64)
    assert calibration_error(scores, torch.tensor([0, 1, 1, 1])) == pytest.approx(45.0)


def test_calibration_error_is_the_weighted_gap_of_the_bins():
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(3000, 5)) * 2).softmax(dim=1)
    labels = torch.from_numpy(rng.integers(5, size=3000))
    confidence, predicted = (each.numpy() for each in scores.max(dim=1))
    bins = reliability(confidence, predicted == labels.numpy())
    assert sum(each.samples for each in bins) == 3000
    gap = sum(each.samples * abs(each.confidence - each.accuracy) for each in bins) / 3000
    assert calibration_error(scores, labels) == pytest.approx(100 * gap, rel=1e-5)


def plain_calibration(scores, labels, bins=15):
    """Expected calibration error by a loop: bin n holds confidences in (n / bins, (n + 1) / bins]."""
    total = 0.0
    for low in range(bins):
        own = [
            (max(row), row.index(max(row)) == label)
            for row, label in zip(scores, labels, strict=True)
            if low / bins < max(row) <= (low + 1) / bins
        ]
        if own:
            gap = abs(sum(c for c, _ in own) - sum(right for _, right in own))
            total += gap / len(scores)
    return 100 * total


def test_a_probability_of_exactly_one_is_in_the_last_bin():
    # Of (14/15, 1]: 1.0 right, twice 0.95 right, 1.0 wrong: mean 0.975 against 0.75.
    scores = torch.tensor([[1.0, 0.0], [0.95, 0.05], [0.05, 0.95], [0.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 0])
    assert calibration_error(scores, labels) == pytest.approx(22.5)


def test_calibration_by_a_loop():
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(500, 3)) * 5).softmax(dim=1)
    scores[:50] = torch.eye(3, dtype=torch.float64)[rng.integers(3, size=50)]
    labels = scores.argmax(dim=1)  # all are right but of those that are quite sure
    labels[:50] = torch.from_numpy(rng.integers(3, size=50))
    expected = plain_calibration(scores.tolist(), labels.tolist())
    assert calibration_error(scores, labels) == pytest.approx(expected)


def test_bins():
    confidence = np.array([0.0, 0.25, 0.2500001, 1.0, 0.9])
    bins = reliability(confidence, np.array([True, False, True, True, False]), bins=4)
    assert [(each.low, each.samples) for each in bins] == [(0.0, 2), (0.25, 1), (0.75, 2)]
    assert [each.accuracy for each in bins] == [0.5, 1.0, 0.5]
    assert bins[0].confidence == pytest.approx(0.125)


def test_videos_of_one_class_have_a_mean_average_precision():
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    assert mean_average_precision(scores, torch.tensor([0, 0])) == 100
    assert mean_average_precision(scores[:1], torch.tensor([1])) == 100


def test_no_videos():
    assert math.isnan(mean_class_accuracy(*NOTHING))
    assert math.isnan(mean_average_precision(*NOTHING))
    assert math.isnan(calibration_error(*NOTHING))
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)) == []
