"""The files of a test."""

import csv
import json
import math

import numpy as np
import pytest

from glore_video.evaluation import Scores, summarize, write_results


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
        num_crops=1,
        seconds=1.5,
        checkpoint="c.pyth",
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
        "failed": [{"path": "d.mp4", "reason": "no frames"}],
        "left_out": [],
        "seconds": 1.5,
        "checkpoint": "c.pyth",
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
    assert math.isnan(summarize(scores, 2).video_top1)
    write(tmp_path, scores)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["video_top1"], summary["videos_scored"]) == (None, 0)
