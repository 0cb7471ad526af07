"""Accuracies and view averages by hand."""

import math

import pytest
import torch

from glore_video.tasks.classification import clip_accuracy, merged_probabilities, top_k_accuracy

LOG = math.log


def test_softmax_is_averaged_not_logits():
    # Softmaxes (3/4, 1/4) and (1/10, 9/10); averaging logits first would give another answer.
    logits = torch.tensor([[LOG(3.0), 0.0], [0.0, LOG(9.0)]])
    assert merged_probabilities(logits).tolist() == pytest.approx([0.425, 0.575])
    # float32 numbers near 100 lie 8e-6 apart.
    assert merged_probabilities(logits + 100).tolist() == pytest.approx([0.425, 0.575], rel=1e-5)


def test_top_k():
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.4, 0.35, 0.25]])
    labels = torch.tensor([0, 1, 0, 2])
    assert top_k_accuracy(scores, labels, 1) == pytest.approx(25.0)
    assert top_k_accuracy(scores, labels, 2) == pytest.approx(50.0)
    assert top_k_accuracy(scores, labels, 5) == pytest.approx(100.0)


def test_no_videos_give_nan():
    assert math.isnan(top_k_accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 1))


def test_clip_accuracy_counts_single_views():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    assert clip_accuracy(logits, torch.tensor([0, 1])) == pytest.approx(75.0)
