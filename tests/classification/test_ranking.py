"""One rule for which class comes first, whatever is counted: ties, last bits, what is not finite."""

import csv

import numpy as np
import pytest
import torch
from report_examples import example

from glore_video.tasks.classification import (
    Scores,
    ViewPlan,
    clip_accuracy,
    ensemble,
    load_scores,
    summarize,
    write_results,
)
from glore_video.tasks.classification.alignment import load_predictions
from glore_video.tasks.classification.classwise import class_rows, confusion
from glore_video.tasks.classification.metrics import accuracies
from glore_video.tasks.classification.ranking import (
    NO_CLASS,
    first_classes,
    label_among_first,
    predicted_classes,
)
from glore_video.tasks.classification.view_curve import view_curve

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_of_equal_scores_the_lower_class_comes_first(dtype):
    scores = torch.tensor([[1, 3, 3, 2], [0, 0, 0, 0], [-2, -1, -2, -1]], dtype=dtype)
    assert predicted_classes(scores).tolist() == [1, 0, 1]
    assert first_classes(scores, 3).tolist() == [[1, 2, 3], [0, 1, 2], [1, 3, 0]]
    labels = torch.tensor([2, 3, 0])
    assert label_among_first(scores, labels, 2).tolist() == [True, False, False]
    assert label_among_first(scores, labels, 9).tolist() == [True, True, True]


def test_the_last_bits_of_a_sum_do_not_count():
    third = 1 / 3
    scores = torch.tensor([[third, third * (1 + 2**-50), third]], dtype=torch.float64)
    assert scores.argmax() == 1
    assert predicted_classes(scores).tolist() == [0]
    # What a float32 tells apart does, however small it is.
    small = torch.tensor([[1e-60, 1.0, 1.000001e-60, 1e-50]], dtype=torch.float64)
    assert first_classes(small, 4).tolist() == [[1, 3, 2, 0]]


@pytest.mark.parametrize("bad", [NAN, INF, -INF], ids=str)
def test_scores_that_are_not_finite_have_no_order(bad):
    scores = torch.tensor([[bad, 1.0, 2.0], [0.0, 2.0, 1.0]])
    assert predicted_classes(scores).tolist() == [NO_CLASS, 1]
    assert first_classes(scores, 2).tolist() == [[NO_CLASS] * 2, [1, 2]]
    for label in range(3):
        assert not label_among_first(scores, torch.tensor([label, 0]), 3)[0]


def test_no_rows():
    assert predicted_classes(torch.zeros(0, 3)).tolist() == []
    assert first_classes(torch.zeros(0, 3), 2).shape == (0, 2)


def plain_order(scores):
    """By numpy, one row: of the values as float32."""
    values = np.asarray(scores, dtype=np.float64).astype(np.float32)
    return sorted(range(len(values)), key=lambda place: (-values[place], place))


def coarse(views=3, videos=200, classes=8):
    """Logits as bf16 gives them, many of them equal, and of half of the videos in all views."""
    rng = np.random.default_rng(5)
    logits = rng.integers(-2, 3, size=(videos, views, classes)).astype(np.float32)
    logits[::2] = logits[::2, :1]
    return logits, rng.integers(classes, size=videos)


def test_every_figure_of_a_test_says_the_same_of_ties(tmp_path):
    logits, labels = coarse()
    videos, views, classes = logits.shape
    exponentials = np.exp(logits.astype(np.float64))
    means = (exponentials / exponentials.sum(-1, keepdims=True)).mean(1)
    orders = np.array([plain_order(row) for row in means])
    right = orders[:, 0] == labels
    greatest = np.sort(means, axis=1)
    assert np.isclose(greatest[:, -1], greatest[:, -2]).sum() > videos / 5  # ties
    top1, top5 = 100 * right.mean(), 100 * (orders[:, :5] == labels[:, None]).any(1).mean()

    scores = Scores(
        logits=logits,
        labels=labels,
        paths=tuple(f"{n}.mp4" for n in range(videos)),
        failed=(),
    )
    names = [f"class {n}" for n in range(classes)]
    summary = summarize(scores, views)
    assert summary.top1 == pytest.approx(top1)
    assert summary.top5 == pytest.approx(top5)
    assert summary.top1_interval[0] < top1 < summary.top1_interval[1]

    plan = ViewPlan(clips=views, crops=1, spacing="ends")
    write_results(tmp_path, scores, summary, class_names=names, plan=plan, facts={})
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    said = [[names.index(row[f"top{n}_name"]) for n in range(1, 6)] for row in rows]
    assert said == orders[:, :5].tolist()

    saved = load_scores(tmp_path)
    assert load_predictions(tmp_path).predicted.tolist() == orders[:, 0].tolist()
    curve = view_curve(saved)
    assert curve.points[-1].top1 == pytest.approx(top1)
    averaged = ensemble([saved], clips=views, crops=1)
    figures = accuracies(averaged.probabilities, averaged.labels)
    assert (figures.top1, figures.top5) == (pytest.approx(top1), pytest.approx(top5))
    matrix = confusion(torch.from_numpy(orders[:, 0]), averaged.labels, num_classes=classes)
    rows = list(class_rows(matrix, (orders[:, :5] == labels[:, None]).any(1), labels))
    assert figures.class_mean == pytest.approx(np.mean([row.top1 for row in rows]))
    assert summary.mean_class_accuracy == pytest.approx(figures.class_mean)

    alone = [plain_order(view)[0] for video in logits for view in video]
    single = 100 * (np.array(alone).reshape(videos, views) == labels[:, None]).mean()
    assert summary.clip_top1 == pytest.approx(single)
    assert 100 * curve.clips_right.mean() == pytest.approx(single)


def test_views_are_looked_at_a_part_at_a_time(monkeypatch):
    saved = example(videos=7, clips=2, crops=3)
    logits, labels = torch.from_numpy(saved.logits), torch.from_numpy(saved.labels)
    whole = clip_accuracy(logits, labels)
    monkeypatch.setattr("glore_video.tasks.classification.views_merging._CHUNK_NUMBERS", 2 * 6 * 6)
    assert clip_accuracy(logits, labels) == whole
