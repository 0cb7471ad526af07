"""The command as it is called: lines, page, JSON, errors."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glore_video.cli.compare import main
from glore_video.tasks.classification import SavedScores, ViewPlan, load_scores, save_scores

NASTY = "<script>alert(1)</script> & \"x\" 'y'"


@pytest.fixture
def runs(tmp_path):
    """a: half of 40 videos right; b: three quarters, those of a among them; c: of 39 videos."""
    labels = np.arange(40) % 2
    for name, wrong in (("a", range(20)), ("b", range(10)), ("c", range(10))):
        said = labels.copy()
        said[list(wrong)] = 1 - said[list(wrong)]
        logits = 4 * np.eye(2, dtype=np.float32)[said][:, None].repeat(2, axis=1)
        kept = 39 if name == "c" else 40
        folder = tmp_path / "ünd spaces" / name / "test"
        folder.mkdir(parents=True)
        scores = SavedScores(
            source="",
            paths=tuple(f"{NASTY}/{n}.mp4" for n in range(kept)),
            labels=labels[:kept],
            logits=logits[:kept],
            class_names=(NASTY, "b"),
            plan=ViewPlan(clips=2, crops=1),
        )
        save_scores(folder / "scores.npz", scores)
    return {name: str(tmp_path / "ünd spaces" / name) for name in "abc"}


def test_two_runs(runs, tmp_path, capsys):
    out = tmp_path / "compärison"
    assert main([runs["a"], runs["b"], "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "top-1 first   50.00%  95%: 35.00 to 65.00" in lines
    assert any(line.startswith("difference   +25.00   95%: +1") for line in lines)
    assert (
        "McNemar's exact test: p = 0.0020 (0 videos only the first has right, 10 only the second)"
        in lines
    )
    assert "The second is better: p = 0.0020." in lines
    assert "10 videos flipped to right, 0 to wrong" in lines
    (found,) = json.loads((out / "comparison.json").read_text())["comparisons"]
    assert (found["difference"], found["only_second"], found["videos"]) == (25.0, 10, 40)
    assert found["mcnemar"] == pytest.approx(2 / 1024)
    assert len(found["gained"]) == 10
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_several_runs_are_compared_with_the_first(runs, capsys):
    assert main([runs["a"], runs["b"], runs["b"]]) == 0
    out = capsys.readouterr().out
    assert out.count("corrected for 2 comparisons: p = 0.0039") == 2


def test_seeds(runs, tmp_path, capsys):
    words = ["--a", runs["a"], runs["a"], "--b", runs["b"], runs["b"], "--out", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "standard deviation over 2 runs 0.00" in out
    assert "paired t test over 2 seeds: p = 0.50" in out
    assert "Seeds" in (tmp_path / "comparison.html").read_text(encoding="utf-8")


def test_missing_videos(runs, capsys, tmp_path):
    assert main([runs["a"], runs["c"]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the lists do not match" in line
    assert "lacks 1" in line
    words = ["--allow-missing", "--out", str(tmp_path)]
    assert main([runs["a"], runs["c"], *words]) == 0
    assert "39 videos" in capsys.readouterr().out
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "lacks 1 videos" in page


def test_lists_of_different_disks(runs, capsys, monkeypatch):
    """The same file names in other folders, one of them no text."""
    scores = load_scores(runs["b"])
    paths = tuple(path.replace(NASTY, "/other disk") for path in scores.paths)
    moved = replace(scores, paths=(os.fsdecode(b"/other/caf\xe9.mp4"), *paths[1:]))
    save_scores(Path(runs["b"]) / "test" / "scores.npz", moved)
    assert main([runs["a"], runs["b"]]) == 2
    assert "--match name leaves folders away" in capsys.readouterr().err
    assert main([runs["a"], runs["b"], "--match", "name", "--allow-missing"]) == 0
    out = capsys.readouterr().out
    assert "(39 videos)" in out
    assert "caf?.mp4 among them" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a"], "two runs are needed, or the groups --a and --b"),
        ([], "two runs are needed"),
        (["a", "b", "--a", "a", "--b", "b"], "not both"),
        (["--a", "a"], "two runs are needed"),
        (["a", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_errors_are_one_line(runs, capsys, words, message):
    assert main([runs.get(word, word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
