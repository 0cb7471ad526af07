"""Networks that answer NaN: validated, saved and tested without passing for a result."""

import json

import numpy as np
import pytest
import torch
from run_files import flat

from glore_video.cli.main import main
from glore_video.engine.checkpoint import BEST_NAME, checkpoint_path, read_checkpoint
from glore_video.engine.trainer import Trainer


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def strict_lines(path):
    return [strict(line) for line in path.read_text().splitlines()]


def damaged(options, value, path):
    """The run's last checkpoint with this in its classifier's bias."""
    state = read_checkpoint(checkpoint_path(options["OUTPUT_DIR"], options["SOLVER.MAX_EPOCH"]))
    state["model_state"]["classifier.bias"].fill_(value)
    torch.save(state, path)
    return path


def test_validation_that_is_not_finite_is_no_best(cfg, options, monkeypatch, capsys):
    settle = Trainer._settle_batch_norm

    def spoil(self):
        settle(self)
        if (
            self.train_data.order.epoch == 1
        ):  # the network of the second epoch has lost its statistics
            self.train_step.model.stem[1].running_var.fill_(float("nan"))

    monkeypatch.setattr(Trainer, "_settle_batch_norm", spoil)
    options |= {"TRAIN.EVAL_PERIOD": 1, "TEST.ENABLE": False, "LOG_PERIOD": 99}
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    good, bad = [x for x in strict_lines(out / "metrics.jsonl") if x["split"] == "val_epoch"]
    assert good["videos_not_finite"] == 0
    assert (bad["loss"], bad["top1"]) == (None, None)
    assert (bad["videos_scored"], bad["videos_not_finite"]) == (8, 8)
    assert read_checkpoint(out / "checkpoints" / BEST_NAME)["epoch"] == 1
    said = capsys.readouterr().err
    assert "validation after epoch 2: the network's scores of 8 videos are not finite" in said
    assert "... (log.txt)" in said
    assert "7.mp4" in (out / "log.txt").read_text()


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_a_test_that_is_not_finite_leaves_its_files_and_is_an_error(
    cfg, options, tmp_path, capsys, value
):
    options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    path = damaged(options, value, tmp_path / "bad.pyth")
    options |= {"TRAIN.ENABLE": False, "TEST.ENABLE": True, "TEST.CHECKPOINT_FILE_PATH": path}
    capsys.readouterr()
    assert main([*cfg, *flat(options | {"OUTPUT_DIR": tmp_path / "tested"})]) == 2
    said = capsys.readouterr().err
    assert "test: video top-1 nan%" in said
    assert f"error: {path}: the network's scores of 8 of 8 test videos are not finite" in said
    summary = strict((tmp_path / "tested" / "test" / "summary.json").read_text())
    assert summary["video_top1"] is None
    assert len(summary["not_finite"]) == 8
    assert strict_lines(tmp_path / "tested" / "metrics.jsonl")[-1]["video_top1"] is None
    names = {path.name for path in (tmp_path / "tested" / "test").iterdir()}
    assert {"summary.json", "predictions.csv", "scores.npz", "report.html"} <= names
    assert "parts" not in names


def test_mixed_precision_gives_logits_in_full_precision(cfg, options):
    options |= {"DATA.NUM_FRAMES": 4, "TRAIN.MIXED_PRECISION": True, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    with np.load(options["OUTPUT_DIR"] / "test" / "scores.npz") as arrays:
        logits = torch.from_numpy(arrays["logits"])
    assert not torch.equal(logits, logits.bfloat16().float())
