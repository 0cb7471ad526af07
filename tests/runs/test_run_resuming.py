"""Whole runs that are stopped and go on: the same weights, the same metrics."""

import os
import signal

import pytest
import torch
from run_files import flat, lines_of, weights_of, without_times

from glore_video.cli.main import main
from glore_video.engine import run_checkpoints
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint
from glore_video.engine.trainer import Trainer


def test_resumed_run_ends_with_the_same_weights(cfg, options, tmp_path):
    options |= {"SOLVER.MAX_EPOCH": 3, "TRAIN.CHECKPOINT_PERIOD": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    whole = weights_of(options["OUTPUT_DIR"], 3)
    checkpoint_path(options["OUTPUT_DIR"], 3).unlink()
    checkpoint_path(options["OUTPUT_DIR"], 2).unlink()
    assert main([*cfg, *flat(options)]) == 0
    resumed = weights_of(options["OUTPUT_DIR"], 3)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def interrupt_at_step(monkeypatch, number, which=signal.SIGTERM):
    """The process gets a signal while it computes its `number`-th step from now on."""
    steps = iter(range(1, number + 1))
    step = Trainer._step

    def signalled(self, batch):
        if next(steps, None) == number:
            os.kill(os.getpid(), which)
        return step(self, batch)

    monkeypatch.setattr(Trainer, "_step", signalled)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signal_saves_and_a_new_start_ends_with_the_same_weights(
    cfg, options, tmp_path, monkeypatch, capsys, which
):
    options |= {"TRAIN.BATCH_SIZE": 2, "TEST.ENABLE": False, "TRAIN.EVAL_PERIOD": 9}
    assert main([*cfg, *flat(options)]) == 0
    whole = weights_of(options["OUTPUT_DIR"], 2)
    whole_metrics = lines_of(options["OUTPUT_DIR"] / "metrics.jsonl")
    out = options["OUTPUT_DIR"] = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        interrupt_at_step(patch, 7, which)  # the third of four in the second epoch
        assert main([*cfg, *flat(options)]) == 128 + which
    assert f"stopped by {which.name}" in capsys.readouterr().err
    assert checkpoint_path(out, 1, 3).is_file()
    assert main([*cfg, *flat(options)]) == 0
    resumed = weights_of(out, 2)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert not checkpoint_path(out, 1, 3).exists()
    for before, after in zip(whole_metrics, lines_of(out / "metrics.jsonl"), strict=True):
        assert without_times(before) == without_times(after)


def test_what_a_killed_run_logged_is_not_counted_twice(cfg, options, tmp_path, monkeypatch):
    options |= {"TRAIN.BATCH_SIZE": 2, "TEST.ENABLE": False, "TRAIN.CHECKPOINT_STEPS": 2}
    out = options["OUTPUT_DIR"]

    def killed(self, *arguments, **more):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        step = Trainer._step
        steps = iter([step, step, step, killed])
        patch.setattr(Trainer, "_step", lambda self, batch: next(steps)(self, batch))
        assert main([*cfg, *flat(options)]) == 1
    assert [line["step"] for line in lines_of(out / "metrics.jsonl")] == [1, 2, 3]
    assert main([*cfg, *flat(options)]) == 0
    steps = [
        line["step"] for line in lines_of(out / "metrics.jsonl") if line["split"] == "train_iter"
    ]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]


def test_last_and_best_checkpoints_are_kept(cfg, options):
    options |= {"SOLVER.MAX_EPOCH": 4, "TRAIN.CHECKPOINT_PERIOD": 1, "TRAIN.KEEP_CHECKPOINTS": 2}
    options |= {"TRAIN.EVAL_PERIOD": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [
        "checkpoint_best.pyth",
        "checkpoint_epoch_00003.pyth",
        "checkpoint_epoch_00004.pyth",
    ]
    validations = [line for line in lines_of(out / "metrics.jsonl") if line["split"] == "val_epoch"]
    best = max(validations, key=lambda line: line["top1"])
    assert read_checkpoint(out / "checkpoints" / "checkpoint_best.pyth")["epoch"] == best["epoch"]


def test_resuming_within_an_epoch_with_another_batch_size(cfg, options, monkeypatch, capsys):
    options |= {"TRAIN.BATCH_SIZE": 2}
    with monkeypatch.context() as patch:
        interrupt_at_step(patch, 1)
        assert main([*cfg, *flat(options)]) == 143
    capsys.readouterr()
    options |= {"TRAIN.BATCH_SIZE": 4, "TRAIN.RESUME_CHANGED": True}
    assert main([*cfg, *flat(options)]) == 2
    assert (
        "was made within an epoch, whose order of videos depends on TRAIN.BATCH_SIZE: it was 2, not 4"
        in capsys.readouterr().err
    )


def test_finished_run_only_tests(cfg, options):
    assert main([*cfg, *flat(options)]) == 0
    before = checkpoint_path(options["OUTPUT_DIR"], 2).stat().st_mtime_ns
    assert main([*cfg, *flat(options)]) == 0
    assert checkpoint_path(options["OUTPUT_DIR"], 2).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        {"SOLVER.OPTIMIZING_METHOD": "adamw", "SOLVER.BASE_LR": 0.001, "SOLVER.CLIP_GRAD_VAL": 0.1},
        {
            "SOLVER.OPTIMIZING_METHOD": "lamb",
            "SOLVER.BASE_LR": 0.001,
            "MODEL.LOSS_FUNC": "bce_logit",
        },
        {"TRAIN.ACCUMULATION_STEPS": 2, "MODEL.ACT_CHECKPOINT": True, "TRAIN.EMA_DECAY": 0.9},
        {"BN.NORM_TYPE": "sub_batchnorm", "BN.NUM_SPLITS": 2, "BN.FREEZE_AFFINE": True},
        {"MIXUP.ENABLE": True, "AUG.NUM_SAMPLE": 2, "AUG.ENABLE": True},
        pytest.param({"MODEL.COMPILE": True}, marks=pytest.mark.slow),
        pytest.param(
            {"MODEL.COMPILE": "units", "MODEL.ACT_CHECKPOINT": True}, marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_every_way_to_train_resumes_to_the_same_weights(
    cfg, options, tmp_path, monkeypatch, change
):
    options |= {"TRAIN.BATCH_SIZE": 4, "TEST.ENABLE": False, "SOLVER.MAX_EPOCH": 2, **change}
    assert main([*cfg, *flat(options)]) == 0
    whole = read_checkpoint(checkpoint_path(options["OUTPUT_DIR"], 2))
    out = options["OUTPUT_DIR"] = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        interrupt_at_step(patch, 3)
        assert main([*cfg, *flat(options)]) == 143
    assert main([*cfg, *flat(options)]) == 0
    resumed = read_checkpoint(checkpoint_path(out, 2))
    states = [key for key in ("model_state", "ema_state") if key in whole]
    assert len(states) == 1 + ("TRAIN.EMA_DECAY" in change)
    for state in states:
        assert all(torch.equal(whole[state][key], resumed[state][key]) for key in whole[state])
    assert not any("_checkpoint_wrapped" in key for key in whole["model_state"])


def test_full_disk_while_training_keeps_the_run_going(cfg, options, monkeypatch, capsys):
    options |= {"TRAIN.CHECKPOINT_PERIOD": 1, "SOLVER.MAX_EPOCH": 3, "TEST.ENABLE": False}
    save = run_checkpoints.save_checkpoint

    def full_at_epoch_two(path, state):
        if state["epoch"] == 2:
            raise OSError(28, "No space left on device", str(path))
        save(path, state)

    monkeypatch.setattr(run_checkpoints, "save_checkpoint", full_at_epoch_two)
    assert main([*cfg, *flat(options)]) == 0
    assert "No space left on device" in capsys.readouterr().err
    names = {path.name for path in (options["OUTPUT_DIR"] / "checkpoints").iterdir()}
    assert {"checkpoint_epoch_00001.pyth", "checkpoint_epoch_00003.pyth"} <= names
    assert "checkpoint_epoch_00002.pyth" not in names
