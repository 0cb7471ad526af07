"""`glore-video visualize` as it is called."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glore_video.cli import predict
from glore_video.cli.visualize import main
from glore_video.video import open_video

ROOT = Path(__file__).parents[2]


def test_pictures_of_a_video(moving_video, tiny_checkpoint, capsys, tmp_path):
    out = tmp_path / "my pictüres"
    common = [str(moving_video), "--weights", str(tiny_checkpoint), "--out", str(out)]
    asked = ["--unit", "stage1.1", "--nodes", "3,0", "--maps", "2", "--class", "jumping <high>"]
    assert main([*common, *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("jumping <high> ")
    assert [line.split()[1] for line in lines[1:3]] == ["3", "0"]
    stem = "moving squäre.stage1.1"
    assert sorted(path.name for path in out.iterdir()) == [
        f"{stem}.activity.png",
        f"{stem}.adjacency.png",
        f"{stem}.mp4",
        f"{stem}.sheet.png",
    ]
    assert [str(out / name) for name in sorted(p.name for p in out.iterdir())] == sorted(lines[3:])
    with Image.open(out / f"{stem}.sheet.png") as sheet:
        # 4 frames of 160 pixels beside the names; frames, two nodes and Grad-CAM below the title.
        assert sheet.size == (2 * 16 + 132 + 4 * 164 - 4, 70 + 4 * 164 + 16)
        assert np.asarray(sheet)[100:, 200:].std() > 20
    with open_video(out / f"{stem}.mp4") as film:
        assert film.num_frames == 30
        assert (film.height, film.width) == (2 * 278, 3 * 256)


def test_the_most_important_nodes_by_default(moving_video, tiny_checkpoint, capsys, tmp_path):
    arguments = [str(moving_video), "--weights", str(tiny_checkpoint), "--out", str(tmp_path)]
    assert main([*arguments, "--no-film", "--top", "3", "--maps", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "stage2.0.glore" in lines[0]
    values = [abs(float(line.split()[4].rstrip(","))) for line in lines[1:4]]
    assert values == sorted(values, reverse=True)
    assert all(values)  # never rounded to +0.0000
    assert all(re.search(r", [0-9.]+% of the unit's$", line) for line in lines[1:4])


def test_the_probability_is_that_of_predict(moving_video, tiny_checkpoint, capsys, tmp_path):
    for views in ([], ["--clips", "4", "--crops", "3"]):
        common = [str(moving_video), "--weights", str(tiny_checkpoint), *views]
        assert main([*common, "--out", str(tmp_path), "--no-film", "--maps", "1"]) == 0
        shown = capsys.readouterr().out.splitlines()[0]
        assert predict.main([*common, "--top", "1"]) == 0
        predicted = capsys.readouterr().out.splitlines()
        name, percent = re.search(r"^  (.+?)  +([0-9.]+%)", predicted[1]).groups()
        assert shown.startswith(f"{name} {percent} (")
        assert predicted[0].rpartition("(")[2].rstrip(")") in shown


def test_grad_cam_without_units(moving_video, capsys, tmp_path):
    plain = ["--cfg", str(ROOT / "configs" / "quickstart.yaml"), "--untrained"]
    assert main([str(moving_video), *plain, "--out", str(tmp_path), "--maps", "2"]) == 0
    out = capsys.readouterr().out
    assert "no GloRe unit: Grad-CAM is drawn" in out
    stem = "moving squäre.grad_cam"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}.mp4", f"{stem}.sheet.png"]
    with Image.open(tmp_path / f"{stem}.sheet.png") as sheet:
        # Frames and Grad-CAM below the title.
        assert sheet.size == (2 * 16 + 132 + 4 * 164 - 4, 70 + 2 * 164 + 16)
        assert np.asarray(sheet)[240:, 200:].std() > 20
    with open_video(tmp_path / f"{stem}.mp4") as film:
        assert (film.num_frames, film.height, film.width) == (30, 278, 2 * 256)


def test_errors_are_one_line(moving_video, tiny_checkpoint, capsys, tmp_path):
    plain = str(ROOT / "configs" / "quickstart.yaml")
    weights = ["--weights", str(tiny_checkpoint), "--out", str(tmp_path / "o"), "--maps", "1"]
    for arguments, message in (
        (
            ["--cfg", plain, "--untrained", "--nodes", "0"],
            "--nodes: the network has no GloRe unit",
        ),
        (
            [*weights, "--unit", "stage9"],
            "--unit stage9: no GloRe unit after 'stage9'; the network's are stage1",
        ),
        ([*weights, "--nodes", "99"], "--nodes: unit stage2.0.glore has nodes 0..15, not 99"),
        (
            [*weights, "--class", "jumping"],
            "--class jumping: no class of the network; nearest: jumping <high>",
        ),
        ([*weights, "--layer", "nothing"], "the network has no layer 'nothing'"),
    ):
        assert main([str(moving_video), *arguments]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_a_picture(a_picture, picture_checkpoint, capsys, tmp_path):
    out = tmp_path / "mäps"
    common = [str(a_picture), "--weights", str(picture_checkpoint), "--device", "cpu"]
    asked = ["--nodes", "3,0", "--class", "dark & grey", "--crops", "5"]
    assert main([*common, "--out", str(out), *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"dark & grey [0-9.]+% \(5 crops: 5 views, as glore-video predict says\); maps of the first "
        "view, stage2.0.glore",
        lines[0],
    )
    assert [line.split()[1] for line in lines[1:3]] == ["3", "0"]
    stem = "two squäres.stage2.0"
    names = [f"{stem}.{what}.png" for what in ("adjacency", "graph", "sheet")]
    assert sorted(path.name for path in out.iterdir()) == names
    assert main([*common, "--out", str(out), "--class", "dark grey"]) == 2
    assert (
        "--class dark grey: no class of the network; nearest: dark & grey"
        in capsys.readouterr().err
    )


def test_grad_cam_of_a_picture(a_picture, capsys, tmp_path):
    plain = ["--cfg", str(ROOT / "configs" / "quickstart_image.yaml"), "--untrained"]
    assert main([str(a_picture), *plain, "--out", str(tmp_path)]) == 0
    assert "no GloRe unit: Grad-CAM is drawn" in capsys.readouterr().out
    (path,) = tmp_path.iterdir()
    assert path.name == "two squäres.grad_cam.sheet.png"
    with Image.open(path) as sheet:
        assert sheet.size == (2 * 16 + 2 * 288 + 4, 54 + 288 + 22 + 16)


KINETICS = ROOT.parent / "shared" / "kinetics_tiny" / "videos"


@pytest.mark.slow
@pytest.mark.skipif(not KINETICS.is_dir(), reason="no real clips beside the checkout")
def test_real_clips(tiny_checkpoint, tmp_path):
    for path in sorted(KINETICS.iterdir()):
        arguments = [str(path), "--weights", str(tiny_checkpoint), "--out", str(tmp_path)]
        assert main([*arguments, "--maps", "2", "--no-film"]) == 0
    assert len(list(tmp_path.glob("*.sheet.png"))) == 4
