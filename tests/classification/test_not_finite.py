"""Scores that are NaN or infinite: named, never right, and without a say in other videos' figures."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from glore_video.errors import UsageError
from glore_video.tasks.classification import (
    Scores,
    ViewPlan,
    ensemble,
    load_scores,
    merged_probabilities,
    summarize,
    write_results,
)
from glore_video.tasks.classification.alignment import load_predictions
from glore_video.tasks.classification.classwise import worst_mistakes
from glore_video.tasks.classification.comparison import compare
from glore_video.tasks.classification.comparison_page import text_lines, write_comparison
from glore_video.tasks.classification.report import write_report

NAN, INF = float("nan"), float("inf")
VIDEOS, VIEWS, CLASSES = 50, 2, 3
NAMES = ("x", "y", "z")


def scores_with(bad, value=NAN):
    """Fifty videos of which every seventh is wrong; of the `bad` one number is not finite."""
    rng = np.random.default_rng(0)
    labels = np.arange(VIDEOS) % CLASSES
    logits = rng.normal(size=(VIDEOS, VIEWS, CLASSES)).astype(np.float32)
    said = np.where(np.arange(VIDEOS) % 7 == 0, (labels + 1) % CLASSES, labels)
    logits[np.arange(VIDEOS), :, said] += 6
    logits[list(bad), 1, 0] = value
    return Scores(
        logits=logits,
        labels=labels,
        paths=tuple(f"{n}.mp4" for n in range(VIDEOS)),
        failed=(),
    )


def write(folder, scores):
    write_results(
        folder,
        scores,
        summarize(scores, VIEWS),
        class_names=NAMES,
        plan=ViewPlan(clips=VIEWS, crops=1, spacing="ends"),
        facts={"seconds": 1.0, "checkpoint": "x"},
    )
    return folder


def strict_json(path):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def without(scores, places):
    kept = [n for n in range(VIDEOS) if n not in places]
    return replace(
        scores,
        logits=scores.logits[kept],
        labels=scores.labels[kept],
        paths=tuple(scores.paths[n] for n in kept),
    )


@pytest.mark.parametrize("value", [NAN, INF, -INF], ids=str)
@pytest.mark.parametrize("method", ["mean", "max", "logit_mean"])
def test_one_view_that_is_not_finite_leaves_its_video_without_probabilities(value, method):
    scores = scores_with([4], value)
    found = merged_probabilities(torch.from_numpy(scores.logits), method=method)
    assert found[4].isnan().all()
    assert found[:4].isfinite().all()
    assert found[5:].isfinite().all()


@pytest.mark.parametrize("value", [NAN, INF], ids=str)
def test_one_number_of_one_view_of_one_video(tmp_path, value):
    scores = scores_with([3], value)  # of label 0, the class that argmax says of NaN
    whole, rest = summarize(scores, VIEWS), summarize(without(scores, [3]), VIEWS)
    assert whole.top1 == pytest.approx(rest.top1 * 49 / 50)
    assert whole.mean_average_precision == rest.mean_average_precision
    assert whole.calibration_error == pytest.approx(rest.calibration_error)
    summary = strict_json(write(tmp_path, scores) / "summary.json")
    assert (summary["videos_scored"], summary["videos_not_finite"]) == (50, 1)
    assert summary["not_finite"] == ["3.mp4"]
    phrase = "the scores of 1 of 50 videos are not finite: they"
    assert summary["reasons"]["video_top1"] == f"{phrase} count as wrong"
    assert summary["reasons"]["calibration_error"] == f"{phrase} are left out"
    assert all(isinstance(summary[figure], (float, list)) for figure in summary["reasons"])
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows if not row["top1_name"]] == ["3.mp4"]
    assert rows[3]["top1_probability"] == ""
    page = write_report(tmp_path).read_text()
    assert "Scores that are not finite: 1" in page
    assert re.search(r"\bnan\b", re.sub("(?s)<script.*?</script>", "", page)) is None


def test_all_videos(tmp_path):
    scores = scores_with(range(VIDEOS))
    scores.logits[:] = NAN
    write(tmp_path, scores)
    summary = strict_json(tmp_path / "summary.json")
    for figure in ("video_top1", "video_top5", "clip_top1", "mean_class_accuracy"):
        assert summary[figure] is None
        assert summary["reasons"][figure] == "the network's scores of all 50 videos are not finite"
    assert (summary["mean_average_precision"], summary["calibration_error"]) == (None, None)
    assert summary["video_top1_interval"] == [None, None]
    assert summary["videos_not_finite"] == 50
    assert "Scores that are not finite: 50" in write_report(tmp_path).read_text()
    with pytest.raises(UsageError, match="scores of all 50 videos are not finite"):
        load_predictions(tmp_path)


def test_comparison_counts_them_as_wrong_and_says_so(tmp_path):
    good = load_predictions(write(tmp_path / "good", scores_with([])))
    bad = load_predictions(write(tmp_path / "bad", scores_with([3, 9])))
    result = compare([good], [bad])
    assert result.coverage.not_finite == {bad.source: 2}
    assert (result.mcnemar.only_first, result.mcnemar.only_second) == (2, 0)
    assert [(flip.path, flip.second) for flip in result.lost] == [
        ("3.mp4", ("not finite",)),
        ("9.mp4", ("not finite",)),
    ]
    line = f"{bad.source}: the scores of 2 videos are not finite, they count as wrong"
    assert line in list(text_lines([result]))
    write_comparison(tmp_path / "page", [result])
    assert strict_json(tmp_path / "page" / "comparison.json")
    assert (
        "The scores of 2 of them are not finite"
        in (tmp_path / "page" / "comparison.html").read_text()
    )


def test_late_fusion_has_no_prediction_where_one_network_has_none(tmp_path):
    runs = [load_scores(write(tmp_path / str(n), scores_with([3] * n))) for n in range(2)]
    found = ensemble(runs, clips=VIEWS, crops=1)
    assert found.probabilities.isnan().any(1).nonzero().tolist() == [[3]]
    # The other view of the video is finite.
    assert ensemble(runs[1:], clips=1, crops=1).probabilities.shape == (VIDEOS, CLASSES)


def test_they_are_no_mistakes():
    probabilities = torch.tensor([[NAN, NAN], [0.9, 0.1], [NAN, NAN]], dtype=torch.float64)
    assert worst_mistakes(probabilities, torch.tensor([0, 1, 1]), 2) == [1]
