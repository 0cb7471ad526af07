"""Accuracy by the number of views, against ensembles of the same views one by one."""

import numpy as np
import pytest
import torch

from glore_video.tasks.classification import (
    SavedScores,
    ViewPlan,
    clip_accuracy,
    ensemble,
    merged_probabilities,
    view_curve,
)
from glore_video.tasks.classification.metrics import accuracies


def scores(clips, crops, spacing="slowfast", videos=60):
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=videos)
    logits = rng.normal(size=(videos, clips * crops, 5)).astype(np.float32)
    logits[np.arange(videos), :, labels] += 0.8
    return SavedScores(
        source="x",
        paths=tuple(map(str, range(videos))),
        labels=labels,
        logits=logits,
        class_names=tuple("abcde"),
        plan=ViewPlan(clips=clips, crops=crops, spacing=spacing),
    )


@pytest.mark.parametrize(
    ("clips", "crops", "spacing", "expected"),
    [
        (4, 3, "slowfast", [(1, 1), (2, 1), (4, 1), (1, 3), (2, 3), (4, 3)]),
        (4, 1, "ends", [(1, 1), (2, 1), (4, 1)]),
        (7, 1, "ends", [(1, 1), (2, 1), (3, 1), (4, 1), (7, 1)]),
        (4, 3, None, [(4, 1), (4, 3)]),
        (1, 1, "slowfast", [(1, 1)]),
    ],
)
def test_points(clips, crops, spacing, expected, monkeypatch):
    monkeypatch.setattr(
        "glore_video.tasks.classification.views_merging._CHUNK_NUMBERS", 7 * clips * crops * 5
    )
    saved = scores(clips, crops, spacing)
    curve = view_curve.view_curve(saved)
    assert [(point.clips, point.crops) for point in curve.points] == expected
    for point in curve.points:
        one = ensemble([saved], clips=point.clips, crops=point.crops)
        assert point.top1 == pytest.approx(accuracies(one.probabilities, one.labels).top1)
        assert point.exact == one.choice.exact
        assert point.interval[0] < point.top1 < point.interval[1]
    logits, labels = torch.from_numpy(saved.logits), torch.from_numpy(saved.labels)
    assert torch.equal(curve.probabilities, merged_probabilities(logits))
    assert 100 * curve.clips_right.mean() == pytest.approx(clip_accuracy(logits, labels))


def test_no_videos():
    curve = view_curve.view_curve(scores(2, 1, videos=0))
    assert curve.probabilities.shape == (0, 5)
    assert [point.clips for point in curve.points] == [1, 2]
