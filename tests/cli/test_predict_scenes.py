"""`glore-video predict` and `visualize` of pictures with a segmentation network, as they are called."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from glore_video.cli import predict, visualize
from glore_video.prediction import load_predictor


@pytest.fixture
def weights(scene_checkpoint):
    return ["--weights", str(scene_checkpoint), "--device", "cpu"]


@pytest.fixture
def folder(tmp_path, a_picture):
    root = tmp_path / "my pictürés"
    (root / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/a.PNG"):
        shutil.copy(a_picture, root / name)
    return root


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_picture(a_picture, weights, scene_checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert predict.main([str(a_picture), *weights]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{a_picture} (whole pictures)\n  ")
    drawn = "outputs/predictions/two squäres"
    assert captured.err == f"wrote {drawn}.jpg, {drawn}.mask.png\n"
    seen = load_predictor(weights=scene_checkpoint).predict(a_picture)
    stored = np.asarray(Image.open(tmp_path / f"{drawn}.mask.png"))
    assert (stored == seen.classes.numbers(seen.mask)).all()

    more = ["--out", "new/o.png", "--csv", "a.csv", "--json", "--top", "19", "--flip"]
    assert predict.main([str(a_picture), *weights, *more]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(each["share"] for each in found["top"]) == pytest.approx(1, abs=1e-4)
    (row,) = rows_of(tmp_path / "a.csv")
    assert row["top1_name"] == found["top"][0]["name"]
    assert float(row["top1_share"]) == pytest.approx(found["top"][0]["share"], abs=1e-6)
    assert below(tmp_path / "new") == ["o.mask.png", "o.png"]
    (tmp_path / "there").mkdir()
    assert predict.main([str(a_picture), *weights, "--out", "there"]) == 0
    assert below(tmp_path / "there") == ["two squäres.jpg", "two squäres.mask.png"]


def test_a_folder_goes_on_where_it_stopped(folder, weights, tmp_path, capsys):
    (folder / "broken.jpg").write_text("nothing")
    out, table = tmp_path / "out", tmp_path / "p.csv"
    arguments = [str(folder), *weights, "--out", str(out), "--csv", str(table), "--workers", "0"]
    assert predict.main(arguments) == 1
    captured = capsys.readouterr()
    assert f"wrote {out}, {out}/colours.png" in captured.err
    assert "1 of 4 failed:" in captured.err
    everything = ["a.jpg", "a.mask.png", "b.jpg", "b.mask.png", "colours.png"]
    everything += ["deep/a.jpg", "deep/a.mask.png"]
    assert below(out) == everything
    assert [row["status"] for row in rows_of(table)] == ["ok", "ok", "failed", "ok"]
    (folder / "broken.jpg").unlink()
    (out / "b.mask.png").unlink()
    before = {name: (out / name).stat().st_mtime_ns for name in below(out)}
    assert predict.main(arguments) == 0
    assert below(out) == everything
    after = {name: (out / name).stat().st_mtime_ns for name in before}
    assert {name for name in before if after[name] != before[name]} == {"b.jpg", "colours.png"}


def test_pictures_of_one_name_do_not_overwrite_each_other(folder, weights, tmp_path):
    Image.open(folder / "a.png").save(folder / "a.jpg")
    out = tmp_path / "out"
    where = ["--out", str(out), "--csv", str(tmp_path / "p.csv"), "--workers", "0"]
    assert predict.main([str(folder), *weights, *where]) == 0
    assert [name for name in below(out) if "mask" not in name] == [
        *("a.jpg.jpg", "a.png.jpg", "b.png.jpg", "colours.png", "deep/a.PNG.jpg")
    ]


def test_errors_are_one_line(
    folder, a_picture, weights, picture_checkpoint, scene_checkpoint, tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a file").write_text("x")
    (tmp_path / "three.yaml").write_text(
        "TASK: segmentation\nMODEL: {ARCH: tiny2d, NUM_CLASSES: 3}\nGLORE: {AFTER: [backbone.stage1.1]}\n"
        "HEAD: {FORM: glore, CHANNELS: 16, NODES: 5}\n"
    )
    classifies = ["--weights", str(picture_checkpoint), "--device", "cpu"]
    three = ["--cfg", str(tmp_path / "three.yaml"), "--weights", str(scene_checkpoint)]
    for arguments, message in (
        ([str(tmp_path / "empty"), *weights], "no pictures in it or in folders below it"),
        ([str(tmp_path / "a file"), *weights], "can't be opened as a picture"),
        ([str(a_picture), *weights, "--out", "a.mp4"], "a.mp4: --out, a drawn picture, is a .jpg"),
        ([str(a_picture), *weights, "--out", str(a_picture)], "is the file itself"),
        (
            [str(folder), *weights, "--out", str(folder / "o")],
            "would take what is drawn for pictures",
        ),
        ([str(folder), *weights, "--out", str(tmp_path / "a file")], "it is a folder too"),
        ([str(folder), *classifies, "--out", str(tmp_path / "o")], "--out are for one video"),
        ([str(a_picture), *weights, "--crops", "5"], "--crops: crops are views of networks that"),
        (["0", *weights], "a camera need a network for videos; this one takes pictures"),
        ([str(a_picture), *three], "--weights: "),
    ):
        assert predict.main(arguments) == 2, arguments
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1


def test_visualize(a_picture, weights, tmp_path, capsys):
    out = ["--out", str(tmp_path / "v")]
    assert visualize.main([str(a_picture), *weights, *out, "--class", "car", "--top", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("car ")
    assert (
        "(whole pictures, as glore-video predict says); maps of the first view, head.glore" in text
    )
    assert below(tmp_path / "v") == [
        f"two squäres.head.{what}.png" for what in ("adjacency", "graph", "sheet")
    ]
    unit = ["--unit", "backbone.stage1.1", "--nodes", "0,1"]
    assert visualize.main([str(a_picture), *weights, *out, *unit]) == 0
    assert os.path.exists(tmp_path / "v" / "two squäres.backbone.stage1.1.sheet.png")
    assert visualize.main([str(a_picture), *weights, "--class", "motor"]) == 2
    assert "--class motor: no class of the network; nearest: motorcycle" in capsys.readouterr().err


def test_visualize_without_a_unit_draws_grad_cam(a_picture, tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(
        "TASK: segmentation\nMODEL: {ARCH: tiny2d, NUM_CLASSES: 3}\nHEAD: {CHANNELS: 8}\n"
    )
    plain = ["--cfg", str(tmp_path / "a.yaml"), "--untrained", "--out", str(tmp_path / "v")]
    assert visualize.main([str(a_picture), *plain]) == 0
    assert "the network has no GloRe unit: Grad-CAM is drawn" in capsys.readouterr().out
    assert below(tmp_path / "v") == ["two squäres.grad_cam.sheet.png"]
