"""The files of a test."""

import csv
import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest

from glore_video.tasks.classification import Scores, ViewPlan, load_scores, summarize, write_results


def make_scores(videos=2):
    logits = np.log(
        np.array([[[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]], [[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]]])
    )
    return Scores(
        logits=logits[:videos].astype(np.float32),
        labels=np.array([0, 2])[:videos],
        paths=("a b.mp4", "ü,c.mp4")[:videos],
        failed=(("d.mp4", "no frames"),),
    )


def write(folder, scores):
    write_results(
        folder,
        scores,
        summarize(scores, 2),
        class_names=["x", "y, z", "w"],
        plan=ViewPlan(clips=2, crops=1, spacing="ends", short_side=32),
        facts={"seconds": 1.5, "checkpoint": "c.pyth", "gmacs": 0.5},
    )


def test_files(tmp_path):
    write(tmp_path / "test", make_scores())
    summary = json.loads((tmp_path / "test" / "summary.json").read_text())
    assert summary == {
        "video_top1": 50.0,
        "video_top5": 100.0,
        "clip_top1": 50.0,
        "num_views": 2,
        "videos_expected": 3,
        "videos_scored": 2,
        "videos_not_finite": 0,
        # Of two videos, one right: a quarter of the samples is all right, a quarter all wrong.
        "video_top1_interval": [0.0, 100.0],
        "mean_class_accuracy": 50.0,
        # Class x ranks its video second of two, w (whose class has 0.1 for both) in a tie.
        "mean_average_precision": pytest.approx(75.0),
        "calibration_error": pytest.approx(47.5),
        "reasons": {},
        "not_finite": [],
        "failed": [{"path": "d.mp4", "reason": "no frames"}],
        "left_out": [],
        "seconds": 1.5,
        "checkpoint": "c.pyth",
        "gmacs": 0.5,
    }
    with (tmp_path / "test" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["path"], first["label"], first["label_name"]) == ("a b.mp4", "0", "x")
    assert (first["top1_name"], float(first["top1_probability"])) == ("x", pytest.approx(0.6))
    assert (second["path"], second["label_name"]) == ("ü,c.mp4", "w")
    assert (second["top1_name"], float(second["top1_probability"])) == (
        "y, z",
        pytest.approx(0.55),
    )
    with np.load(tmp_path / "test" / "scores.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["logits"], make_scores().logits)
        assert arrays["paths"].tolist() == ["a b.mp4", "ü,c.mp4"]
        assert arrays["clip_of_view"].tolist() == [0, 1]
        assert arrays["crop_of_view"].tolist() == [0, 0]
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == [
        "predictions.csv",
        "scores.npz",
        "summary.json",
    ]


def test_nothing_scored(tmp_path):
    scores = make_scores(videos=0)
    assert math.isnan(summarize(scores, 2).top1)
    write(tmp_path, scores)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["video_top1"], summary["videos_scored"]) == (None, 0)
    assert summary["video_top1_interval"] == [None, None]
    assert (summary["mean_class_accuracy"], summary["mean_average_precision"]) == (None, None)


def test_names_that_spreadsheets_run_as_formulas(tmp_path):
    scores = replace(make_scores(), paths=("=a.mp4", "-b.mp4"))
    write_results(
        tmp_path,
        scores,
        summarize(scores, 2),
        class_names=["@x", "+y", "w"],
        plan=ViewPlan(clips=2, crops=1, spacing="ends", short_side=32),
        facts={},
    )
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        _, first, second = csv.reader(file)
    assert first[:4] == ["'=a.mp4", "0", "'@x", "'@x"]
    assert second[:4] == ["'-b.mp4", "2", "w", "'+y"]
    assert load_scores(tmp_path).paths == scores.paths


def test_file_names_that_are_no_text(tmp_path):
    scores = replace(make_scores(), paths=(os.fsdecode(b"caf\xe9.mp4"), "b.mp4"))
    write(tmp_path, scores)
    assert b"caf\xe9.mp4" in (tmp_path / "predictions.csv").read_bytes()
    assert load_scores(tmp_path).paths == scores.paths
