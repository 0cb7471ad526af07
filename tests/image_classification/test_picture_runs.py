"""Whole runs on pictures: what they leave, what changes no bit of them."""

import csv
import json
import os

import numpy as np
import pytest
import torch
from picture_corpus import write_pictures
from PIL import Image
from run_files import flat, lines_of, one_error_line, weights_of

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    return ["train", "--cfg", str(tmp_path / "empty.yaml")]


def test_trains_and_tests(cfg, options):
    options |= {"TEST.FLIP": True, "TEST.NUM_SPATIAL_CROPS": 5, "TEST.SCALES": "[1, 1.2]"}
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    metrics = lines_of(out / "metrics.jsonl")
    assert {line["split"] for line in metrics} == {"train_iter", "train_epoch", "val_epoch", "test"}
    summary = json.loads((out / "test" / "summary.json").read_text())
    assert (summary["pictures_expected"], summary["pictures_scored"]) == (12, 12)
    assert (summary["num_views"], summary["failed"]) == (20, [])
    assert {"top1", "top1_interval", "calibration_error"} <= summary.keys()
    assert not [name for name in summary if "clip" in name or "video" in name]
    state = read_checkpoint(checkpoint_path(out, 2))
    assert state["class_names"] == ["bright", "dark"]
    assert state["config"]["TASK"] == "image_classification"
    with (out / "test" / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label_name"] for row in rows] == ["bright"] * 6 + ["dark"] * 6
    page = (out / "test" / "report.html").read_text(encoding="utf-8")
    assert "pictures" in page
    assert "video" not in page
    assert load_config(out / "config.yaml").DATA.TEST_SHORT_SIDE == 36


def test_workers_and_time_limits_change_no_bit(cfg, options, tmp_path):
    results = []
    for name, workers, seconds in (("none", 0, 60), ("two", 2, 60), ("unlimited", 1, 0)):
        options |= {"DATA_LOADER.NUM_WORKERS": workers, "DATA_LOADER.VIDEO_TIMEOUT": seconds}
        options |= {"OUTPUT_DIR": tmp_path / name, "AUG.ENABLE": True, "AUG.NUM_SAMPLE": 2}
        assert main([*cfg, *flat(options)]) == 0
        scores = np.load(options["OUTPUT_DIR"] / "test" / "scores.npz")
        results.append((weights_of(options["OUTPUT_DIR"], 2), scores["logits"]))
    first, logits = results[0]
    for weights, others in results[1:]:
        assert all(torch.equal(first[key], weights[key]) for key in first)
        assert np.array_equal(others, logits)


def test_every_kind_of_picture_and_what_is_broken(cfg, options, tmp_path):
    """All whole ones are scored, the others named with their reasons."""
    root = tmp_path / "corpus"
    (root / "val" / "a").mkdir(parents=True)
    (root / "val" / "b").mkdir()
    whole = write_pictures(root / "val" / "a")
    (root / "val" / "b" / "zero bytes.jpg").touch()
    Image.effect_noise((64, 64), 50).save(root / "val" / "b" / "whole.png")
    data = (root / "val" / "b" / "whole.png").read_bytes()
    (root / "val" / "b" / "cut off.png").write_bytes(data[: len(data) // 2])
    Image.new("1", (20_000, 6_000)).save(root / "val" / "b" / "giant.png")
    options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    options |= {"DATA.PATH_TO_DATA_DIR": root, "TRAIN.ENABLE": False, "TEST.ENABLE": True}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert summary["pictures_expected"] == len(whole) + 4
    assert summary["pictures_scored"] == len(whole) + 1
    reasons = {os.path.basename(bad["path"]): bad["reason"] for bad in summary["failed"]}
    assert reasons.pop("zero bytes.jpg") == "the file is empty"
    assert (
        reasons.pop("giant.png")
        == "has more than max_pixels = 100,000,000 pixels (DATA.MAX_PIXELS)"
    )
    assert reasons.pop("cut off.png").startswith("can't be decoded")
    assert not reasons
    page = (options["OUTPUT_DIR"] / "test" / "report.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in page


def test_too_many_broken_pictures_stop_the_training(cfg, options, tmp_path, capsys):
    root = tmp_path / "broken"
    for split in ("train", "val"):
        for name in ("a", "b"):
            (root / split / name).mkdir(parents=True)
            for number in range(4):
                (root / split / name / f"{number}.jpg").write_bytes(b"\xff\xd8\xff nothing")
    options |= {"DATA.PATH_TO_DATA_DIR": root}
    assert main([*cfg, *flat(options)]) == 2
    assert "pictures" in one_error_line(capsys)


@pytest.mark.slow
def test_logits_are_those_of_timms_own_evaluation(cfg, options, tmp_path):
    """Its transforms, its network; ours reads files, scales, crops, normalises and batches."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(3)
    network = timm.create_model("efficientnet_lite0", num_classes=2).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    del options["MODEL.ARCH"], options["MODEL.DROPOUT_RATE"], options["GLORE.AFTER"]
    del options["DATA.TRAIN_CROP_SIZE"]
    options |= {
        "MODEL.NAME": "timm/efficientnet_lite0",
        "TRAIN.ENABLE": False,
        "TEST.CHECKPOINT_FILE_PATH": tmp_path / "weights.pt",
        "TEST.BATCH_SIZE": 3,
    }
    assert main([*cfg, *flat(options)]) == 0
    saved = np.load(options["OUTPUT_DIR"] / "test" / "scores.npz")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    with torch.no_grad():
        for path, logits in zip(saved["paths"], saved["logits"], strict=True):
            picture = transform(Image.open(str(path)).convert("RGB"))
            expected = network(picture[None])
            torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-4)


def test_a_network_for_clips_is_refused_before_anything_is_read(cfg, options, capsys):
    options |= {"MODEL.ARCH": "slow"}
    assert main([*cfg, *flat(options)]) == 2
    assert "MODEL.ARCH = slow takes clips of videos, not pictures" in one_error_line(capsys)
