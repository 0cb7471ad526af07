"""A test's figures of Cityscapes are those of cityscapesscripts on the label ids that it has written."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from cityscapes_benchmark import assert_official, official_scores
from PIL import Image
from run_files import flat
from scene_miniature import COLOURS, write_cityscapes

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.engine.protocols import Records
from glore_video.images.errors import PictureError
from glore_video.statistics.instance_iou import COUNTS
from glore_video.tasks import task_of
from glore_video.tasks.segmentation.picture_records import RecordForm

STORED = list(cityscapes_classes().stored)


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cities") / "cityscapes"
    write_cityscapes(folder, {"train": 2, "val": 4}, height=64, width=128)
    return folder


@pytest.fixture
def pairs(options, cities):
    return options | {
        "DATA.PATH_TO_DATA_DIR": cities,
        "MODEL.NUM_CLASSES": 0,
        "TEST.SAVE_PREDICTIONS": True,
    }


def nearest_colour(inputs):
    """Logits by the colours of the scenes: right but for noise; a part of each picture has no score."""
    colours = torch.from_numpy(COLOURS[STORED]).float()
    differences = inputs.float().permute(0, 2, 3, 1)[..., None, :] - colours
    logits = -differences.square().sum(-1).permute(0, 3, 1, 2)
    logits[..., 20:32, 50:74] = float("nan")
    return logits


def scored(evaluation):
    """summary.json of a test with this network, and the folder that it lies in."""
    records, failed = {}, []
    for item in evaluation.loader(range(len(evaluation.samples))):
        if item.views is None:
            failed += item.failures
        else:
            records[item.index] = evaluation.record(nearest_colour, item.views, 1)
    values = np.array(list(records.values()), dtype=np.float32)
    records = Records(np.array(list(records), dtype=np.int64), values, tuple(failed))
    folder = evaluation.predictions.parent
    evaluation.write(folder, records, evaluation.summarize(records), {})
    evaluation.report(folder, records)
    return json.loads((folder / "summary.json").read_text()), folder


def truths_of(cities):
    return sorted((cities / "gtFine" / "val").rglob("*_labelIds.png"))


def test_a_whole_run(cfg, pairs, cities, monkeypatch):
    assert main([*cfg, *flat(pairs | {"SOLVER.MAX_EPOCH": 2})]) == 0
    folder = pairs["OUTPUT_DIR"] / "test"
    predictions, truths = sorted((folder / "predictions").iterdir()), truths_of(cities)
    assert [path.name.partition("_leftImg8bit")[0] for path in predictions] == [
        path.name.partition("_gtFine")[0] for path in truths
    ]
    summary = json.loads((folder / "summary.json").read_text())
    assert_official(summary, official_scores(monkeypatch, predictions, truths))
    assert summary["class_iou"]["train"] is None  # in no scene
    log = (pairs["OUTPUT_DIR"] / "log.txt").read_text()
    assert (
        f"iIoU {summary['mean_iiou']:.2f}%, categories {summary['mean_category_iiou']:.2f}%" in log
    )
    (line,) = (
        json.loads(line)
        for line in (pairs["OUTPUT_DIR"] / "metrics.jsonl").read_text().splitlines()
        if '"test"' in line
    )
    assert line["mean_iiou"] == summary["mean_iiou"]


def test_pixels_without_a_score_and_small_things(pairs, cities, monkeypatch):
    """Our files hold a label that is not evaluated, and each picture's row is what its scores are."""
    evaluation = task_of(load_config(None, flat(pairs))).evaluation()
    summary, folder = scored(evaluation)
    predictions, truths = sorted((folder / "predictions").iterdir()), truths_of(cities)
    assert (np.asarray(Image.open(predictions[0]))[20:32, 50:74] == 0).all()
    assert_official(summary, official_scores(monkeypatch, predictions, truths))
    assert all(30 < summary[name] < 99 for name in ("miou", "mean_iiou", "mean_category_iiou"))
    assert list(summary["class_iiou"])[:3] == ["person", "rider", "car"]
    assert list(summary["category_iiou"]) == ["human", "vehicle"]
    assert len(summary["not_finite"]) == 4

    with (folder / "pictures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, prediction, truth in zip(rows, predictions, truths, strict=True):
        official = official_scores(monkeypatch, [prediction], [truth])
        for column, value in (
            ("miou", official["averageScoreClasses"]),
            ("mean_iiou", official["averageScoreInstClasses"]),
            ("car", official["classScores"]["car"]),
            ("iIoU car", official["classInstScores"]["car"]),
            ("category vehicle", official["categoryScores"]["vehicle"]),
            ("category iIoU human", official["categoryInstScores"]["human"]),
        ):
            assert row[column] == ("" if np.isnan(value) else f"{100 * value:.4f}"), column
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in ("mean iIoU", "mean IoU of categories", ">Categories<", "vehicle"):
        assert words in page


def test_without_instances_there_is_no_iiou(cfg, pairs, cities, tmp_path, capsys):
    copied = tmp_path / "some"
    shutil.copytree(cities, copied)
    next((copied / "gtFine" / "val").rglob("*_instanceIds.png")).unlink()
    pairs |= {"DATA.PATH_TO_DATA_DIR": copied, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(pairs)]) == 0
    assert (
        "1 of 4 pictures have no picture of their instances: the test has no iIoU"
        in capsys.readouterr().err
    )
    summary = json.loads((pairs["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert "mean_category_iou" in summary
    assert not [key for key in summary if "iiou" in key]


def test_the_test_set_whose_masks_nobody_has(cfg, pairs, tmp_path, capsys):
    """As the files for Cityscapes' server are made: all is ignored, nothing is scored, all is saved."""
    folder = tmp_path / "cities"
    write_cityscapes(folder, {"train": 2, "val": 1, "test": 2}, height=64, width=128)
    for path in (folder / "gtFine" / "test").rglob("*.png"):
        Image.fromarray(np.zeros((64, 128), np.uint8)).save(path)
    pairs |= {"DATA.PATH_TO_DATA_DIR": folder, "TEST.SPLIT": "test", "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(pairs)]) == 0
    test = pairs["OUTPUT_DIR"] / "test"
    saved = sorted(path.name for path in (test / "predictions").iterdir())
    pictures = sorted((folder / "leftImg8bit" / "test").rglob("*.png"))
    assert saved == [path.name for path in pictures]
    summary = json.loads((test / "summary.json").read_text())
    assert (summary["miou"], summary["mean_iiou"], summary["pictures_scored"]) == (None, None, 2)
    assert "no pixel of their masks counts (2 of 2 pictures)" in capsys.readouterr().err
    assert "mean IoU" in (test / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("instances", "reason"),
    [
        (np.zeros((5, 7), np.uint16), "has 7x5 pixels, its mask 128x64"),
        (
            np.full((64, 128), 40001, np.uint16),
            "holds instance 40001, of label 40; there are labels",
        ),
    ],
)
def test_instances_that_can_not_be_used(pairs, cities, tmp_path, instances, reason):
    copied = tmp_path / "broken"
    shutil.copytree(cities, copied)
    path = sorted((copied / "gtFine" / "val").rglob("*_instanceIds.png"))[1]
    Image.fromarray(instances).save(path)
    task = task_of(load_config(None, flat(pairs | {"DATA.PATH_TO_DATA_DIR": copied})))
    summary, _ = scored(task.evaluation())
    (failed,) = summary["failed"]
    assert failed["path"] == str(path)
    assert failed["reason"].startswith(reason)
    assert summary["pictures_scored"] == 3
    with pytest.raises(PictureError):
        task.evaluation().scenes.views_of(1)


def test_records_keep_what_instances_count_exactly_enough():
    form = RecordForm(3, with_instances=True)
    drawn = np.random.default_rng(0)
    matrix = drawn.integers(0, 2**24, (3, 4))
    counts = drawn.uniform(0, 1e9, (3, len(COUNTS)))
    record = form.record(matrix, counts)
    assert record.shape == form.shape
    assert record.dtype == np.float32
    np.testing.assert_array_equal(form.matrices(record[None])[0], matrix)
    np.testing.assert_allclose(form.instances(record[None])[0], counts, rtol=2**-46)
    assert RecordForm(3).instances(record[None]) is None
