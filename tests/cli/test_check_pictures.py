"""`glore-video check-data` on pictures: what decodes, what is taken for pictures."""

import csv

import numpy as np
import pytest
from encoded_videos import encode
from PIL import Image
from run_files import one_error_line

from glore_video.cli.check_data import main


@pytest.fixture
def folder(tmp_path):
    """Two classes of pictures, a cut-off one among them."""
    root = tmp_path / "my dâta" / "train"
    drawn = np.random.default_rng(0)
    for name in ("ape/a b.jpg", "ape/=c.png", "cat/cut.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    return root


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_class_folders(folder, capsys):
    assert main([str(folder), "--processes", "2"]) == 2
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"labels, those of {folder}: 0 ape, 1 cat"
    assert out[1:4] == [
        "fine                2   66.67%",
        "unreadable          1   33.33%",
        "missing             0    0.00%",
    ]
    assert out[4].startswith("short sides from 20 to 20 pixels, half of them up to 20; 0.00 GB")
    assert out[5].startswith("  train/cat/cut.jpg: can't be decoded")
    assert out[6:] == [f"wrote {folder.parent / 'train.check.csv'}"]
    rows = rows_of(folder.parent / "train.check.csv")
    assert [(row["path"], row["label"], row["status"]) for row in rows] == [
        ("train/ape/=c.png", "0", "ok"),
        ("train/ape/a b.jpg", "0", "ok"),
        ("train/cat/cut.jpg", "1", "unreadable"),
    ]
    assert {(row["width"], row["height"]) for row in rows[:2]} == {("30", "20")}
    assert int(rows[0]["size"]) == (folder / "ape" / "=c.png").stat().st_size


def test_a_list(folder, capsys):
    lines = ["train/ape/a b.jpg\t5\n", "train/none.jpg\t6\n", "train/ape/a b.jpg\t5\n"]
    (folder.parent / "list.csv").write_text("".join(lines))
    table = folder.parent / "new.csv"
    words = [str(folder.parent / "list.csv"), "--separator", r"\t", "--out", str(table)]
    assert main(words) == 2
    rows = rows_of(table)
    assert [(row["label"], row["status"]) for row in rows] == [
        ("5", "ok"),
        ("6", "missing"),
        ("5", "ok"),
    ]
    assert rows[1]["reason"] == "no such file"
    (folder.parent / "list.csv").write_text("".join(lines[:1]))
    assert main(words) == 0


def test_the_list_is_not_written_over(folder, capsys):
    path = folder.parent / "list.csv"
    path.write_text("train/ape/a b.jpg 5\n")
    assert main([str(path), "--out", str(path)]) == 2
    assert f"--out {path}: is what is to be checked" in one_error_line(capsys)
    assert path.read_text() == "train/ape/a b.jpg 5\n"


def test_videos_with_pictures_beside_them_are_videos(folder, capsys):
    encode(folder / "cat" / "clip.mp4", numbers=range(4), gop=4)
    assert main([str(folder)]) == 0
    assert f"wrote {folder.parent / 'train.manifest.csv'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--again"], "--again: means nothing to {folder}, which is checked for image_class"),
        (["--split", "val"], "--split: means nothing to {folder}"),
        (["--out", "/proc/none/x.csv"], "/proc/none"),
        (["--task", "video_classification"], "no videos in"),
        (["--like", "/none"], "/none: no such list or folder"),
    ],
)
def test_user_errors_are_one_line(folder, capsys, words, message):
    assert main([str(folder), *words]) == 2
    assert message.format(folder=folder) in one_error_line(capsys)
    assert not list(folder.parent.glob("*.csv*"))


def test_a_damaged_picture_of_every_kind_has_a_row(tmp_path):
    """A folder, no bytes, no picture."""
    (tmp_path / "list.csv").write_text("a.png 0\nb.png 0\nc.png 0\n")
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").touch()
    (tmp_path / "c.png").write_text("<html>")
    assert main([str(tmp_path / "list.csv")]) == 2
    reasons = [row["reason"] for row in rows_of(tmp_path / "list.check.csv")]
    assert reasons[:2] == ["is a folder, not a file", "the file is empty"]
    assert reasons[2].startswith("can't be opened as a picture")
