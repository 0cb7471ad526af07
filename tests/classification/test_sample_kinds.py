"""The same files, pages and comparisons of pictures: their words and keys."""

import json
import re

import numpy as np
import pytest
from report_examples import SUMMARY, example

from glore_video.cli import compare, ensemble
from glore_video.errors import UsageError
from glore_video.tasks.classification import (
    Scores,
    load_scores,
    save_scores,
    summarize,
    write_results,
)
from glore_video.tasks.classification.ensembling import choose_views
from glore_video.tasks.classification.report import make_report
from glore_video.tasks.sample_kinds import PICTURE, VIDEO, sample_kind


def pictures(**settings):
    return example(clips=1, crops=5, kind=PICTURE, **settings)


@pytest.fixture
def two_runs(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        save_scores(tmp_path / name / "scores.npz", pictures(seed=seed))
    return tmp_path


def test_names_of_figures():
    assert [VIDEO.top_key(1), VIDEO.top_name(5)] == ["video_top1", "video top-5"]
    assert [PICTURE.top_key(1), PICTURE.top_name(5)] == ["top1", "top-5"]


def test_files_say_what_they_are_of(two_runs):
    assert load_scores(two_runs / "a").kind == PICTURE
    save_scores(two_runs / "video.npz", example())
    with np.load(two_runs / "video.npz") as arrays:
        assert "sample" not in arrays.files
    assert load_scores(two_runs / "video.npz").kind == VIDEO
    with pytest.raises(UsageError, match="videos or pictures, got 'sound'"):
        sample_kind("sound")


def test_all_views_of_a_picture_are_taken():
    plan = pictures().plan
    assert choose_views(plan, clips=1, crops=5).views == (0, 1, 2, 3, 4)
    with pytest.raises(UsageError, match="crops must be 5, as it was scored; got 3"):
        choose_views(plan, clips=1, crops=3)


def test_summary(tmp_path):
    saved = pictures()
    scores = Scores(
        logits=saved.logits[:50],
        labels=saved.labels[:50],
        paths=saved.paths[:50],
        failed=(("x.jpg", "cut off"),),
        kind=PICTURE,
    )
    scores.logits[7] = np.nan
    summary = summarize(scores, 5)
    write_results(
        tmp_path, scores, summary, class_names=saved.class_names, plan=saved.plan, facts={}
    )
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written["top1"] == summary.top1
    assert (written["pictures_expected"], written["pictures_scored"]) == (51, 50)
    assert written["reasons"]["top5"].startswith("the scores of 1 of 50 pictures are not finite")
    assert not [key for key in (*written, *written["reasons"]) if re.search("video|clip", key)]
    assert summary.line(num_classes=6).startswith(f"top-1 {summary.top1:.2f}%, top-5 ")
    assert "(50 of 51 pictures, 5 views each)" in summary.line(num_classes=6)
    assert "video" not in summary.not_finite()
    assert load_scores(tmp_path).kind == PICTURE


def test_report():
    page = make_report(pictures(), SUMMARY | {"gmacs": 4.1}, name="run").decode()
    text = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    assert "120 pictures, 5 views" in text
    assert "pictures scored" in text
    assert ">top-1<" in text
    assert not re.search("video|clip", text)


def test_comparison(two_runs, capsys):
    out = two_runs / "out"
    assert compare.main([str(two_runs / "a"), str(two_runs / "b"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "(120 pictures)" in said
    assert "video" not in said
    (found,) = json.loads((out / "comparison.json").read_text())["comparisons"]
    assert found["pictures"] == 120
    assert found["classes"][0]["pictures"] == 20
    assert "video" not in (out / "comparison.html").read_text()


def test_ensemble(two_runs, capsys):
    runs = [str(two_runs / "a"), str(two_runs / "b")]
    assert ensemble.main([*runs, "--json", str(two_runs / "e.json")]) == 0
    assert "120 pictures, 2 tests" in capsys.readouterr().out
    (row,) = json.loads((two_runs / "e.json").read_text())["ensembles"]
    assert {"top1", "top5"} < row.keys()
    assert (row["clips"], row["crops"]) == (1, 5)


def test_videos_and_pictures_are_not_mixed(two_runs, capsys):
    save_scores(two_runs / "video.npz", example(clips=1, crops=5))
    assert compare.main([str(two_runs / "a"), str(two_runs / "video.npz")]) == 2
    assert re.search("is of videos, .* of pictures", capsys.readouterr().err)
