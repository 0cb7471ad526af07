"""`glore-video predict` as it is called."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glore_video.cli.predict import main
from glore_video.video import open_video

ROOT = Path(__file__).parents[2]


def read_rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_video(moving_video, tiny_checkpoint, capsys, tmp_path):
    arguments = [str(moving_video), "--weights", str(tiny_checkpoint)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{moving_video} (3 clips x 1 crop)"
    assert {" ".join(line.split()[:-2]) for line in lines[1:]} <= {"hopping", "jumping <high>", ""}
    assert main([*arguments, "--json", "--csv", str(tmp_path / "a.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(moving_video)
    assert sum(each["probability"] for each in found["top"]) == pytest.approx(1, abs=1e-5)
    rows = read_rows(tmp_path / "a.csv")
    assert rows[0]["top1_name"] == found["top"][0]["name"]


def test_timeline_and_film(moving_video, tiny_checkpoint, capsys, tmp_path):
    arguments = [str(moving_video), "--weights", str(tiny_checkpoint), "--window", "1"]
    page, film = tmp_path / "new" / "t.html", tmp_path / "films" / "named.mp4"
    assert main([*arguments, "--timeline", str(page), "--out", str(film)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line[:19] for line in out] == [
        "    0.0 to     1.0 ",
        "    0.5 to     1.5 ",
        "    1.0 to     2.0 ",
        "    1.5 to     2.5 ",
        "    2.0 to     3.0 ",
    ]
    text = page.read_text(encoding="utf-8")
    assert "jumping &lt;high&gt;" in text
    assert "<high>" not in text
    assert text.count("<i ") == 10  # 5 windows x 2 classes
    with open_video(film) as video, open_video(moving_video) as bare:
        assert video.num_frames == 30
        difference = (video.frames([5]).float() - bare.frames([5]).float()).abs()[0].mean(2)
    assert difference[-16:, :40].mean() > 10  # where the names stand
    assert difference[:16].mean() < 6
    assert main([*arguments, "--timeline", str(tmp_path / "t.png")]) == 0
    assert (tmp_path / "t.png").stat().st_size > 2000


def test_results_of_a_folder_lie_in_outputs(moving_video, tiny_checkpoint, tmp_path, monkeypatch):
    (tmp_path / "videos").mkdir()
    shutil.copy(moving_video, tmp_path / "videos")
    monkeypatch.chdir(tmp_path)
    assert main(["videos", "--weights", str(tiny_checkpoint), "--workers", "0"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs", "videos"]
    assert len(read_rows(tmp_path / "outputs" / "predictions.csv")) == 1


def test_errors_are_one_line(moving_video, tiny_checkpoint, capsys, tmp_path):
    weights = ["--weights", str(tiny_checkpoint)]
    bare, other, wide = (tmp_path / name for name in ("bare.pth", "other.yaml", "wide.yaml"))
    torch.save({"model_state": {"a": torch.zeros(1)}}, bare)
    base = f"_BASE_: {ROOT / 'configs' / 'quickstart_same_glore.yaml'}\n"
    other.write_text(base + "GLORE: {LOCATION: [[[1]]]}\n")
    wide.write_text(base + "MODEL: {NUM_CLASSES: 10}\n")
    for arguments, message in (
        (
            [str(moving_video)],
            "no network is named: --weights of a run, --cfg FILE of a configuration, or --model",
        ),
        (
            [str(moving_video), "--weights", "/no/run"],
            "--weights = /no/run: no such file or folder",
        ),
        (
            [str(moving_video), "--model", "slow_r51"],
            "--model slow_r51: no network of the zoo; did",
        ),
        (
            [str(moving_video), "--model", "preact_r50_8x8"],
            "--model preact_r50_8x8 without --weights: no weights trained on Kinetics are published",
        ),
        (
            [str(moving_video), "--weights", str(bare)],
            "bare.pth: no checkpoint of a run (no configuration in it); give its --cfg FILE or",
        ),
        (
            [str(moving_video), "--weights", str(tiny_checkpoint), "--cfg", str(other)],
            "GLORE.LOCATION and NONLOCAL.LOCATION must be those it was trained with",
        ),
        (
            [str(moving_video), "--weights", str(tiny_checkpoint), "--cfg", str(wide)],
            "needs (10,); MODEL.NUM_CLASSES 2 in the configuration fits it",
        ),
        (["nowhere.mp4", *weights], "nowhere.mp4: no such file or folder"),
        (["²", *weights], "²: no such file or folder"),  # a digit to Python, and no number
        (["12345678901", *weights], "12345678901: no such file or folder"),
        ([str(moving_video), *weights, "--timeline", "a.pdf"], "a.pdf: a timeline is a .png or"),
        ([str(tmp_path), *weights], "no videos in it or in folders below it"),
        ([str(tmp_path), *weights, "--window", "1"], "are for one video"),
        ([str(moving_video), *weights, "--out", str(moving_video)], "is the file itself"),
        (["4711", *weights], "/dev/video4711: no such camera"),
    ):
        assert main(arguments) == 2, arguments
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1


@pytest.fixture
def folder(tmp_path, moving_video):
    root = tmp_path / "my vidéos"
    root.mkdir()
    for number in range(4):
        shutil.copy(moving_video, root / f"{number}.mp4")
    (root / "2.mp4").write_text("nothing")
    return root


def test_a_folder(folder, tiny_checkpoint, capsys, tmp_path):
    file = tmp_path / "p.csv"
    arguments = [str(folder), "--weights", str(tiny_checkpoint), "--csv", str(file)]
    assert main([*arguments, "--workers", "0"]) == 1
    captured = capsys.readouterr()
    assert "1 of 4 failed:" in captured.err
    assert f"{folder / '2.mp4'}: can't be opened as video" in captured.err
    rows = read_rows(file)
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok"]
    (folder / "2.mp4").unlink()
    assert main([*arguments, "--workers", "0"]) == 0


@pytest.mark.slow
def test_a_folder_under_torchrun_equals_one_process(folder, tiny_checkpoint, tmp_path):
    common = [str(folder), "--weights", str(tiny_checkpoint), "--device", "cpu"]
    assert main([*common, "--csv", str(tmp_path / "one.csv"), "--workers", "0"]) == 1
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    tool = str(ROOT / "tools" / "predict.py")
    two = ["--csv", str(tmp_path / "two.csv"), "--workers", "1"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", tool, *common, *two],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "1 of 4 failed:" in done.stderr
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert sorted(p.name for p in tmp_path.glob("*.csv*")) == ["one.csv", "two.csv"]


def test_a_camera(tiny_checkpoint, capsys, monkeypatch):
    """A made-up source in place of the device."""
    import glore_video.video.camera as camera

    real = camera.Camera
    monkeypatch.setattr(
        camera, "Camera", lambda number: real("testsrc=size=96x72:rate=10", format="lavfi")
    )
    weights = ["--weights", str(tiny_checkpoint)]
    assert main(["0", *weights, "--every", "0.5", "--seconds", "1.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [float(line.split()[0]) for line in lines] == [0.3, 0.8, 1.3]
    assert main(["0", *weights, "--seconds", "0.3", "--json", "--top", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seconds"] == pytest.approx(0.3)
    assert found["top"][0]["name"] in ("hopping", "jumping <high>")
