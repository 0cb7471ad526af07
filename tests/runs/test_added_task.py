"""What docs/architecture.md shows works as it stands, and needs no line of engine, runs or cli."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from glore_video import tasks
from glore_video.cli.main import main
from glore_video.engine.checkpoint import read_checkpoint

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, flags=re.DOTALL))


def test_examples_are_short():
    assert EXAMPLES.keys() == {"task", "network", "figure"}
    for code in EXAMPLES.values():
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) < 60


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "stripes.py").write_text(EXAMPLES["task"])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(tasks.TASKS, "stripes", "stripes:Stripes")
    (tmp_path / "c.yaml").write_text(
        "TASK: stripes\n"
        "MODEL: {NAME: torchvision/resnet18, NUM_CLASSES: 2}\n"
        "GLORE: {AFTER: ['layer3.*']}\n"
        "TRAIN: {BATCH_SIZE: 8}\n"
        "SOLVER: {MAX_EPOCH: 2, BASE_LR: 0.02}\n"
        "DATA_LOADER: {NUM_WORKERS: 0}\n"
        "BN: {USE_PRECISE_STATS: True, NUM_BATCHES_PRECISE: 5}\n"
        "TENSORBOARD: {ENABLE: False}\n"
        "NUM_GPUS: 0\n"
        "CPU_THREADS: 1\n"
    )
    yield lambda out, *pairs: main(
        ["train", "--cfg", str(tmp_path / "c.yaml"), "OUTPUT_DIR", str(tmp_path / out), *pairs]
    )
    sys.modules.pop("stripes", None)


def test_task(run, tmp_path):
    assert run("whole") == 0
    summary = json.loads((tmp_path / "whole" / "test" / "summary.json").read_text())
    assert (summary["pictures_scored"], summary["top1"]) == (40, 100.0)
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert {json.loads(line)["split"] for line in lines} == {
        *("train_iter", "train_epoch", "val_epoch", "test"),
    }


@pytest.mark.slow
def test_task_goes_on_bit_for_bit(run, tmp_path):
    pairs = ("TEST.ENABLE", "False", "TRAIN.CHECKPOINT_PERIOD", "1", "TRAIN.KEEP_CHECKPOINTS", "0")
    assert run("whole", *pairs) == 0
    checkpoints = tmp_path / "whole" / "checkpoints"
    before = read_checkpoint(checkpoints / "checkpoint_epoch_00002.pyth")
    for name in ("checkpoint_epoch_00002.pyth", "checkpoint_best.pyth"):
        (checkpoints / name).unlink()
    assert run("whole", *pairs) == 0
    after = read_checkpoint(checkpoints / "checkpoint_epoch_00002.pyth")
    for key, value in before["model_state"].items():
        assert torch.equal(value, after["model_state"][key]), key


def test_dry_run(run, capsys):
    assert run("dry", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "training picture: 32 x 32, 0.0" in shown
    assert "40 pictures, 5 steps of 8 pictures" in shown


def test_unknown_task_is_named(run, capsys):
    assert run("none", "TASK", "stripe") == 2
    assert "TASK = 'stripe': no such task; did you mean stripes?" in capsys.readouterr().err


def test_network():
    exec(EXAMPLES["network"], {})


def test_figure():
    place: dict = {}
    exec(EXAMPLES["figure"], place)
    meter = place["MeanClassAccuracy"](3)
    outputs = torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 9, 0]])
    counts = meter.count(outputs[:2], torch.tensor([0, 1])) + meter.count(
        outputs[2:], torch.tensor([1, 0])
    )
    assert counts.tolist() == [1, 1, 0, 2, 2, 0]
    assert meter.figures(counts) == {"class_accuracy": 50.0}
    assert meter.text({"class_accuracy": 50.0}, 1) == "class accuracy 50.0%"
