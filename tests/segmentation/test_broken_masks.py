"""Masks that can't be used: a line each before a run, a row each in a check of all of them."""

import csv
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from run_files import flat, one_error_line
from scene_miniature import write_cityscapes, write_own, write_voc

from glore_video.cli.main import main

SMALL = {"height": 24, "width": 32}
ZEROS = np.zeros((24, 32), np.uint8)


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 3, (24, 32), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-40])


def other_size(path):
    Image.fromarray(np.zeros((24, 31), np.uint8)).save(path)


def colours(path):
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(path)


def float_tiff(path):
    Image.fromarray(ZEROS.astype(np.float32)).save(path, "TIFF")


def sixteen_bits(path):
    """Which may hold classes, but not these."""
    values = ZEROS.astype(np.uint16)
    values[:2] = 700
    Image.fromarray(values).save(path)


def no_bytes(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("no mask")


def jpeg(path):
    Image.fromarray(ZEROS).save(path, "JPEG")


BROKEN = {
    truncated: ("unreadable", "can't be decoded: "),
    other_size: ("size", "the mask has 31x24 pixels, its picture 32x24"),
    colours: ("unreadable", "must be a palette or grey of up to 16 bits, this is of mode RGB"),
    float_tiff: ("unreadable", "must be a palette or grey of up to 16 bits, this is of mode F"),
    sixteen_bits: ("numbers", "holds numbers that stand for no class: 700 (64 pixels)"),
    no_bytes: ("unreadable", "the file is empty"),
    text: ("unreadable", "can't be opened as a picture: none of "),
    jpeg: ("unreadable", "a mask must be one of PNG, TIFF, BMP, GIF, this is JPEG"),
}


@pytest.fixture
def root(tmp_path):
    """Own folders of two good pairs a split."""
    write_own(tmp_path / "öwn", {"train": 2, "val": 2}, **SMALL)
    return tmp_path / "öwn"


def mask_of(root):
    return root / "masks" / "val" / "scene 0.png"


def checked(root, *words):
    """Exit status of check-data, and the rows of its table."""
    status = main(["check-data", str(root), "--processes", "2", *words])
    with (root.parent / f"{root.name}.check.csv").open(newline="", encoding="utf-8") as file:
        return status, list(csv.DictReader(file))


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_in_a_check(root, capsys, spoil):
    spoil(mask_of(root))
    status, rows = checked(root)
    out = capsys.readouterr().out
    assert status == 2
    (bad,) = (row for row in rows if row["status"] != "ok")
    expected, reason = BROKEN[spoil]
    assert (bad["split"], bad["status"], bad["file"]) == ("val", expected, str(mask_of(root)))
    assert reason in bad["reason"]
    assert (bad["width"], bad["height"], bad["pixels of road"]) == ("32", "24", "")
    assert len(rows) == 4
    (line,) = (line for line in out.splitlines() if str(mask_of(root)) in line)
    assert line == f"  {bad['file']}: {bad['reason']}"


def test_before_a_run(cfg, options, tmp_path, capsys):
    """One line each, and the run goes on without them."""
    root = tmp_path / "many"
    write_own(root, {"train": 2, "val": 2 * len(BROKEN)}, **SMALL)
    masks = sorted((root / "masks" / "val").glob("*.png"))
    for path, spoil in zip(masks, BROKEN, strict=True):
        spoil(path)
    options |= {"DATA.PATH_TO_DATA_DIR": root, "MODEL.NUM_CLASSES": 3, "TEST.ENABLE": False}
    options |= {"SOLVER.MAX_EPOCH": 1, "DATA.TRAIN_CROP_SIZE": 32, "DATA.TRAIN_CROP_HEIGHT": 24}
    assert main([*cfg, *flat(options)]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if " W " in line]
    kinds = {}
    for path, (status, reason) in zip(masks, BROKEN.values(), strict=True):
        kinds.setdefault(status, []).append((str(path), reason))
    unreadable = kinds.pop("unreadable")
    named = [line for line in warnings if any(path in line for path, _ in unreadable)]
    for path, reason in sorted(unreadable)[:3]:
        assert sum(path in line and reason in line for line in named) >= 1
    assert any("6 of 16 can't be read, 3 are named above" in line for line in warnings)
    for ((path, reason),) in kinds.values():
        assert any(path in line and reason in line for line in warnings)


def test_a_folder_called_as_a_mask_is_a_missing_one(cfg, options, root, capsys):
    mask_of(root).unlink()
    mask_of(root).mkdir()
    options |= {"DATA.PATH_TO_DATA_DIR": root, "MODEL.NUM_CLASSES": 3}
    assert main([*cfg, *flat(options)]) == 2
    assert "no mask for 1 of the 2 pictures in" in one_error_line(capsys)
    status, rows = checked(root)
    assert status == 2
    (bad,) = (row for row in rows if row["status"] != "ok")
    assert (bad["status"], bad["file"]) == ("missing", str(root / "images" / "val" / "scene 0.jpg"))
    assert bad["reason"] == f"has no mask {root / 'masks' / 'val' / 'scene 0'}.png"


def test_no_mask_can_be_used(cfg, options, root, capsys):
    """As of masks in colours: said before hours of reading replacements."""
    for path in (root / "masks" / "train").rglob("*.png"):
        colours(path)
    options |= {"DATA.PATH_TO_DATA_DIR": root, "MODEL.NUM_CLASSES": 3}
    assert main([*cfg, *flat(options)]) == 2
    err = capsys.readouterr().err
    assert "none of the 2 masks that were looked at can be used: " in err
    assert "mode RGB" in err
    assert not os.path.exists(options["OUTPUT_DIR"] / "checkpoints")


def test_a_good_data_set(tmp_path, capsys):
    scenes = write_cityscapes(tmp_path / "cities", {"train": 2, "val": 1}, **SMALL)
    status, rows = checked(tmp_path / "cities")
    assert status == 0
    out = capsys.readouterr().out
    assert [row["split"] for row in rows] == ["train", "train", "val"]
    counts = [int(row["pixels of sky"]) for row in rows]
    assert counts == [int((scene.labels == 23).sum()) for scene in scenes]
    ignored = [
        int((scene.labels < 7).sum() + np.isin(scene.labels, (9, 29)).sum()) for scene in scenes
    ]
    assert [int(row["ignored"]) for row in rows] == ignored
    assert f"sky {sum(counts[:2]):,}" in " ".join(out.split())
    assert "no pixel is of wall, fence, " in out
    assert checked(tmp_path / "cities", "--split", "val")[1] == rows[2:]


def test_a_list_that_repeats_others_is_read_once(tmp_path, capsys):
    root = tmp_path / "voc"
    write_voc(root, {"train": 1, "val": 1})
    lists = root / "ImageSets" / "Segmentation"
    both = (lists / "train.txt").read_text() + (lists / "val.txt").read_text()
    (lists / "trainval.txt").write_text(both)
    status, rows = checked(root)
    assert (status, len(rows)) == (0, 2)
    assert "trainval: its 2 pairs are among those above" in capsys.readouterr().out


def test_a_mask_without_a_picture_and_broken_instances(tmp_path):
    root = tmp_path / "cities"
    write_cityscapes(root, {"train": 2, "val": 2}, **SMALL)
    (path,) = (root / "leftImg8bit" / "train" / "aachen").iterdir()
    path.unlink()
    instances = sorted((root / "gtFine" / "val").rglob("*_instanceIds.png"))[1]
    other_size(instances)
    status, rows = checked(root)
    assert status == 2
    bad = [row for row in rows if row["status"] != "ok"]
    assert [row["status"] for row in bad] == ["missing", "unreadable"]
    assert bad[0]["reason"] == f"has no picture in {root / 'leftImg8bit' / 'train'}"
    assert (bad[1]["file"], bad[1]["reason"]) == (
        str(instances),
        "has 31x24 pixels, its mask 32x24",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{root}", "--split", "minival"], "--split minival: {root} has train, val"),
        (["{root}", "--against", "x"], "--against: means nothing to {root}, which is checked for "),
        (["{root}", "--timeout", "3"], "--timeout: means nothing to {root}"),
        (["{root}", "--out", "{root}/none/x.csv"], "{root}/none/x.csv"),
        (["{root}", "--like", "{root}/none.txt"], "--like {root}/none.txt: "),
        (["{root}/none", "--task", "segmentation"], "{root}/none: no such folder"),
        (["{root}/images", "--task", "segmentation"], "no pictures with masks in it; known are: "),
    ],
)
def test_user_errors_are_one_line(root, capsys, words, message):
    assert main(["check-data", *(word.format(root=root) for word in words)]) == 2
    assert message.format(root=root) in one_error_line(capsys)
    assert not list(root.parent.glob("*.check.csv*"))


def test_a_folder_without_masks_is_one_line(root, capsys):
    shutil.rmtree(root / "masks")
    assert main(["check-data", str(root)]) == 2
    assert f"{root / 'masks' / 'train'}: no such folder" in one_error_line(capsys)
