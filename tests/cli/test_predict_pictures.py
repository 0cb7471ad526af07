"""`glore-video predict` of pictures as it is called."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glore_video.cli.predict import main

ROOT = Path(__file__).parents[2]


def read_rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.fixture
def weights(picture_checkpoint):
    return ["--weights", str(picture_checkpoint), "--device", "cpu"]


def test_a_picture(a_picture, weights, capsys, tmp_path):
    assert main([str(a_picture), *weights]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{a_picture} (centre crop)"
    assert {" ".join(line.split()[:-2]) for line in lines[1:]} <= {"dark & grey", "bright", ""}
    views = ["--crops", "5", "--flip", "--json", "--csv", str(tmp_path / "new" / "a.csv")]
    assert main([str(a_picture), *weights, *views]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(a_picture)
    assert sum(each["probability"] for each in found["top"]) == pytest.approx(1, abs=1e-5)
    (row,) = read_rows(tmp_path / "new" / "a.csv")
    assert row["top1_name"] == found["top"][0]["name"]


def test_a_network_by_name_has_readable_classes(a_picture, capsys):
    name = ["--model", "timm/resnet10t", "--untrained", "--device", "cpu", "--json"]
    assert main([str(a_picture), *name, "--top", "1000"]) == 0
    names = {each["name"] for each in json.loads(capsys.readouterr().out)["top"]}
    assert len(names) == 1000
    assert {"tench", "tabby", "espresso"} <= names


def test_errors_are_one_line(a_picture, moving_video, weights, tiny_checkpoint, capsys, tmp_path):
    (tmp_path / "videos").mkdir()
    shutil.copy(moving_video, tmp_path / "videos" / "a.mp4")
    videos = ["--weights", str(tiny_checkpoint), "--device", "cpu"]
    for arguments, message in (
        ([str(moving_video), *weights], "opened as a picture: none of JPEG, PNG, WEBP, BMP, GIF"),
        ([str(moving_video), *weights], "; the network takes pictures"),
        (
            [str(a_picture), *videos],
            "opened as video: not a container of videos; the network takes",
        ),
        ([str(a_picture), *videos], "; the network takes videos"),
        ([str(a_picture), *videos, "--crops", "5"], "--crops: num_crops must be 1 or 3, got 5"),
        ([str(a_picture), *videos, "--flip"], "--flip: flips are views of pictures"),
        ([str(a_picture), *weights, "--crops", "3"], "--crops: crops must be 1 or 5, got 3"),
        ([str(a_picture), *weights, "--clips", "2"], "--clips: clips are views of videos"),
        (
            [str(a_picture), *weights, "--window", "2"],
            "a network for videos; this one takes pictures",
        ),
        (["0", *weights], "a network for videos; this one takes pictures"),
        (["nowhere.jpg", *weights], "nowhere.jpg: no such file or folder"),
        ([str(tmp_path / "videos"), *weights], "no pictures in it or in folders below it"),
        ([str(tmp_path / "videos"), *weights], "not taken: .mp4 (1: a.mp4)"),
    ):
        assert main(arguments) == 2, arguments
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1


@pytest.fixture
def folder(tmp_path, a_picture):
    root = tmp_path / "my pictürés"
    (root / "deep").mkdir(parents=True)
    for name in ("0.png", "1.png", "deep/3.PNG"):
        shutil.copy(a_picture, root / name)
    (root / "2.jpg").write_text("nothing")
    (root / "notes.txt").write_text("nothing")
    return root


def test_a_folder_goes_on_where_it_stopped(folder, weights, capsys, tmp_path):
    file = tmp_path / "p.csv"
    arguments = [str(folder), *weights, "--csv", str(file), "--workers", "0"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "1 of 4 failed:" in captured.err
    assert f"{folder / '2.jpg'}: can't be opened as a picture" in captured.err
    assert "wrote" in captured.err
    assert "3 pictures" in captured.err
    rows = read_rows(file)
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok"]
    assert len({row["top1_probability"] for row in rows if row["status"] == "ok"}) == 1
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("bright", "made up")
    file.write_text("\n".join([*lines[:3], ""]), encoding="utf-8")
    (folder / "2.jpg").unlink()
    assert main(arguments) == 0
    rows = read_rows(file)
    assert [row["status"] for row in rows] == ["ok"] * 3
    # What is known is not asked again.
    assert ["made up" in row.values() for row in rows] == [True, False, False]


@pytest.mark.slow
def test_a_folder_under_torchrun_equals_one_process(folder, weights, tmp_path):
    assert main([str(folder), *weights, "--csv", str(tmp_path / "one.csv"), "--workers", "0"]) == 1
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    tool = str(ROOT / "tools" / "predict.py")
    two = ["--csv", str(tmp_path / "two.csv"), "--workers", "1"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", tool, str(folder), *weights, *two],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "1 of 4 failed:" in done.stderr
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
