"""The command as it is called: table, notes, JSON, errors."""

import json

import numpy as np
import pytest

from glore_video.cli.ensemble import main
from glore_video.tasks.classification import SavedScores, ViewPlan, save_scores


def test_top5_is_shown_for_more_than_five_classes(tmp_path, capsys):
    for classes in (5, 6):
        scores = SavedScores(
            source="",
            paths=("a", "b"),
            labels=np.array([0, 5 % classes]),
            logits=np.arange(2.0 * classes, dtype=np.float32).reshape(2, 1, classes),
            class_names=tuple("uvwxyz"[:classes]),
            plan=ViewPlan(clips=1, crops=1, spacing="slowfast", short_side=0),
        )
        save_scores(tmp_path / "scores.npz", scores)
        assert main([str(tmp_path), "--json", str(tmp_path / "a.json")]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert ("top-5" in lines[1]) == (classes == 6)
        assert len(lines[1].replace("class mean", "mean").split()) == len(lines[2].split()) - 1
        assert "video_top5" in json.loads((tmp_path / "a.json").read_text())["ensembles"][0]


@pytest.fixture
def test_folder(tmp_path):
    """Four videos of two classes; only the crop in the middle of the later clips is right."""
    labels = np.array([0, 1, 0, 1])
    logits = np.zeros((4, 4, 3, 2), np.float32)  # (videos, clips, crops, classes)
    logits[np.arange(4), :, :, 1 - labels] = 1
    logits[np.arange(4), 2:, 1, 1 - labels] = -50
    folder = tmp_path / "ünd spaces" / "test"
    folder.mkdir(parents=True)
    scores = SavedScores(
        source="",
        paths=("a", "b", "c", "d"),
        labels=labels,
        logits=logits.reshape(4, 12, 2),
        class_names=("x", "y"),
        plan=ViewPlan(clips=4, crops=3, spacing="slowfast", short_side=256),
    )
    save_scores(folder / "scores.npz", scores)
    return folder


def test_table(test_folder, tmp_path, capsys):
    report = tmp_path / "numbers.json"
    words = ["--clips", "1,2,4", "--crops", "1,3", "--method", "mean", "--json", str(report)]
    assert main([str(test_folder), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 videos, 1 test"
    assert [line.split()[:6] for line in lines[2:8]] == [
        ["1", "x", "1", "~", "mean", "100.00"],
        ["1", "x", "3", "~", "mean", "100.00"],
        ["2", "x", "1", "=", "mean", "100.00"],
        ["2", "x", "3", "=", "mean", "0.00"],
        ["4", "x", "1", "=", "mean", "100.00"],
        ["4", "x", "3", "=", "mean", "0.00"],
    ]
    assert "1 x 1, clip 2 of 0 to 3: a test with 1 clip takes the middle" in lines[8]
    assert "DATA.TEST_SHORT_SIDE is the short side 256 of this test" in lines[9]
    written = json.loads(report.read_text())
    assert written["ensembles"][2]["views"] == [1, 7]
    assert written["ensembles"][2]["video_top1"] == 100.0
    assert [row["exact"] for row in written["ensembles"]] == [False, False, True, True, True, True]


def test_default_is_the_test_itself_and_methods_repeat(test_folder, capsys):
    words = ["--method", "max", "--method", "logit_mean"]
    assert main([str(test_folder / "scores.npz"), str(test_folder.parent), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 videos, 2 tests"
    assert [line.split()[4] for line in lines[2:]] == ["max", "logit_mean"]
    # One sure crop outweighs all others where the greatest counts.
    assert [line.split()[5] for line in lines[2:]] == ["100.00", "100.00"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clips", "5"], "--clips 5: 4 were scored, so 1 to 4"),
        (["--crops", "2"], "--crops 2: must be 1 or 3"),
        (["--clips", "3", "--exact"], "--exact: clips 0, 1, 3 of 0 to 3: the nearest"),
        (["nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_errors_are_one_line(test_folder, capsys, words, message):
    assert main([str(test_folder), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_scores_that_are_not_finite_are_said(test_folder, tmp_path, capsys):
    with np.load(test_folder / "scores.npz") as arrays:
        arrays = dict(arrays)
    arrays["logits"][1] = np.nan
    np.savez(tmp_path / "one.npz", **arrays)
    arrays["logits"][:] = np.nan
    np.savez(tmp_path / "all.npz", **arrays)
    for name, count, top1 in (("one", 1, 0.0), ("all", 4, None)):
        written = tmp_path / f"{name}.json"
        assert main([str(tmp_path / f"{name}.npz"), "--json", str(written)]) == 0
        assert f"4 x 3, the scores of {count} videos are not finite" in capsys.readouterr().out
        assert json.loads(written.read_text())["ensembles"][0]["video_top1"] == top1
