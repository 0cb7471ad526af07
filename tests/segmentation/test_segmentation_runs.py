"""Whole runs of a segmentation: what they leave, what changes no bit of them."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from run_files import flat, lines_of, one_error_line, weights_of

from glore_video.cli.main import main
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint
from glore_video.statistics.confusion import class_iou, mean_iou


def truth_of(scenes, number):
    return np.asarray(Image.open(scenes / "masks" / "val" / f"{number:02}.png"))


def test_trains_and_tests(cfg, options, scenes):
    options |= {"TEST.SAVE_PREDICTIONS": True, "TEST.FLIP": True, "TEST.SCALES": "[1, 1.5]"}
    options |= {"SOLVER.MAX_EPOCH": 12}
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    metrics = lines_of(out / "metrics.jsonl")
    assert {line["split"] for line in metrics} == {"train_iter", "train_epoch", "val_epoch", "test"}
    assert "miou" in next(line for line in metrics if line["split"] == "val_epoch")
    summary = json.loads((out / "test" / "summary.json").read_text())
    assert (summary["pictures_expected"], summary["pictures_scored"]) == (5, 5)
    assert summary["views"] == "whole pictures, scales 1, 1.5, mirror images"
    assert list(summary["class_iou"]) == ["floor", "square"]
    assert summary["miou"] > 60
    assert read_checkpoint(checkpoint_path(out, 12))["class_names"] == ["floor", "square"]

    # The figures are those of the predictions that were saved.
    matrix = np.zeros((2, 2))
    for number in range(5):
        predicted = np.asarray(Image.open(out / "test" / "predictions" / f"{number:02}.png"))
        truth = truth_of(scenes, number)
        for row, column in zip(truth[truth < 2], predicted[truth < 2], strict=True):
            matrix[row, column] += 1
    assert summary["miou"] == pytest.approx(float(mean_iou(matrix)))
    assert list(summary["class_iou"].values()) == pytest.approx(class_iou(matrix).tolist())
    assert summary["pixel_accuracy"] == pytest.approx(100 * np.trace(matrix) / matrix.sum())

    rows = (out / "test" / "pictures.csv").read_text().splitlines()
    assert rows[0] == "path,miou,pixel_accuracy,floor,square"
    assert len(rows) == 6
    page = (out / "test" / "report.html").read_text(encoding="utf-8")
    for word in ("mean IoU", "The worst pictures", "data:image/png;base64,", "floor"):
        assert word in page
    with np.load(out / "test" / "confusions.npz", allow_pickle=False) as kept:
        assert kept["matrices"].shape == (5, 2, 3)
        assert kept["matrices"].sum(0)[:, :2] == pytest.approx(matrix)


def test_predictions_are_kept_only_if_wanted_and_windows_cost_nothing_else(cfg, options):
    options |= {"SOLVER.MAX_EPOCH": 1, "TEST.WINDOW": "[24, 32]"}
    assert main([*cfg, *flat(options)]) == 0
    left = sorted(path.name for path in (options["OUTPUT_DIR"] / "test").iterdir())
    assert left == ["config.yaml", "confusions.npz", "pictures.csv", "report.html", "summary.json"]


def test_workers_and_parts_of_a_step_change_no_target(cfg, options, tmp_path):
    results = []
    for name, workers, steps in (("none", 0, 1), ("two", 2, 1), ("parts", 0, 2)):
        options |= {"DATA_LOADER.NUM_WORKERS": workers, "OUTPUT_DIR": tmp_path / name}
        options |= {"TRAIN.ACCUMULATION_STEPS": steps, "MODEL.FROZEN_BN": True}
        options |= {"SOLVER.MAX_EPOCH": 1, "HEAD.DROPOUT": 0, "TEST.ENABLE": False}
        assert main([*cfg, *flat(options)]) == 0
        results.append(weights_of(options["OUTPUT_DIR"], 1))
    first, second, parts = results
    assert all(torch.equal(first[key], second[key]) for key in first)
    for key in first:  # pictures with other numbers of ignored pixels, one part each
        torch.testing.assert_close(first[key], parts[key], rtol=1e-3, atol=1e-5)


def test_class_weights_and_hard_pixels_train(cfg, options):
    options |= {"LOSS.CLASS_WEIGHTS": "[0.5, 2]", "LOSS.OHEM_THRESHOLD": 0.7}
    options |= {"LOSS.OHEM_MIN_KEPT": 50, "SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    options |= {"AUG.ENABLE": True, "AUG.AA_TYPE": "''", "AUG.RE_PROB": 0}
    assert main([*cfg, *flat(options)]) == 0
    losses = [
        line["loss"]
        for line in lines_of(options["OUTPUT_DIR"] / "metrics.jsonl")
        if line["split"] == "train_iter"
    ]
    assert len(losses) == 3
    assert all(np.isfinite(losses))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"DATA.NUM_FRAMES": 16}, "DATA.NUM_FRAMES = 16: of no use with TASK = segmentation"),
        ({"MIXUP.ENABLE": True}, "MIXUP.ENABLE = True: of no use"),
        ({"AUG.ENABLE": True}, "RandAugment would move pictures and not their masks"),
        ({"LOSS.CLASS_WEIGHTS": "[1]"}, "LOSS.CLASS_WEIGHTS: 1 weights for 2 classes"),
        ({"MODEL.NUM_CLASSES": 3}, "2 classes, but MODEL.NUM_CLASSES = 3"),
        ({"TEST.WINDOW": "[8]"}, "window must be height and width"),
        ({"MODEL.LOSS_FUNC": "bce_logit"}, "a segmentation has cross_entropy"),
        ({"DATA.PATH_TO_DATA_DIR": "nowhere"}, "DATA.PATH_TO_DATA_DIR = nowhere: no such folder"),
    ],
)
def test_what_can_not_be_is_one_line(cfg, options, capsys, pairs, message):
    assert main([*cfg, *flat(options | pairs)]) == 2
    assert message in one_error_line(capsys)
    assert not os.path.exists(options["OUTPUT_DIR"] / "checkpoints")


def test_masks_that_can_not_be_used_are_named(cfg, options, scenes, tmp_path, capsys):
    root = tmp_path / "broken"
    for kind in ("images", "masks"):
        for split in ("train", "val"):
            (root / kind / split).mkdir(parents=True)
            for path in (scenes / kind / split).iterdir():
                (root / kind / split / path.name).write_bytes(path.read_bytes())
    (root / "class_names.txt").write_text("floor\nsquare\n")
    masks = root / "masks" / "val"
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(masks / "00.png")
    Image.fromarray(np.full((40, 56), 7, np.uint8)).save(masks / "01.png")
    Image.fromarray(np.zeros((40, 56, 3), np.uint8)).save(masks / "02.png")
    (masks / "03.png").write_bytes((masks / "03.png").read_bytes()[:60])
    options |= {"DATA.PATH_TO_DATA_DIR": root, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert (summary["pictures_expected"], summary["pictures_scored"]) == (5, 1)
    reasons = {os.path.basename(bad["path"]): bad["reason"] for bad in summary["failed"]}
    assert "5x5 pixels" in reasons["00.png"]
    assert "7 (2,240 pixels)" in reasons["01.png"]
    assert "palette or grey" in reasons["02.png"]
    assert sorted(reasons) == ["00.png", "01.png", "02.png", "03.png"]
