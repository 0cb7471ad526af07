"""Whole runs from the command line's side: files left, errors, resume, processes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from test_unforeseen import forked_run

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.engine import run_checkpoints
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint
from glore_video.engine.trainer import Trainer
from glore_video.models import TinyResNet3d, insert_glore, save_weights
from glore_video.runs.network import build_model
from glore_video.tasks.video_classification.task_data import render_synthetic


def flat(options):
    return [str(word) for pair in options.items() for word in pair]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_trains_and_tests(cfg, options, videos):
    assert main([*cfg, "--opts", *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "log.txt",
        "metrics.jsonl",
        "test",
    ]
    assert load_config(out / "config.yaml").TRAIN.BATCH_SIZE == 4
    metrics = lines_of(out / "metrics.jsonl")
    assert [line["split"] for line in metrics] == (
        ["train_iter"] * 2
        + ["train_epoch"]
        + ["train_iter"] * 2
        + ["train_epoch", "val_epoch", "test"]
    )
    assert [line["step"] for line in metrics if line["split"] == "train_iter"] == [1, 2, 3, 4]
    assert {"data_seconds", "forward_seconds", "gradient_norm", "lr", "loss"} <= metrics[0].keys()
    summary = json.loads((out / "test" / "summary.json").read_text())
    assert (summary["videos_expected"], summary["videos_scored"]) == (8, 8)
    assert (summary["num_views"], summary["failed"]) == (6, [])
    state = read_checkpoint(checkpoint_path(out, 2))
    assert state["class_names"] == ["dark", "bright"]
    assert state["config"]["MODEL"]["ARCH"] == "tiny"
    assert {"optimizer_state", "scaler_state", "sampler_state", "rng_states"} <= state.keys()


def test_tensorboard_files(cfg, options):
    options |= {"TENSORBOARD.ENABLE": True, "TEST.ENABLE": False, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    assert list((options["OUTPUT_DIR"] / "tensorboard").glob("events.*"))
    assert not (options["OUTPUT_DIR"] / "test").exists()


def without_times(line):
    return {k: v for k, v in line.items() if not k.endswith("seconds") and "clips_per" not in k}


def weights_of(out, epoch):
    return read_checkpoint(checkpoint_path(out, epoch))["model_state"]


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


def test_workers_do_not_change_the_weights(cfg, options, tmp_path):
    results = []
    for workers in (0, 2):
        options |= {"DATA_LOADER.NUM_WORKERS": workers, "OUTPUT_DIR": tmp_path / str(workers)}
        options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
        assert main([*cfg, *flat(options)]) == 0
        results.append(weights_of(options["OUTPUT_DIR"], 1))
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_finished_run_only_tests(cfg, options):
    assert main([*cfg, *flat(options)]) == 0
    before = checkpoint_path(options["OUTPUT_DIR"], 2).stat().st_mtime_ns
    assert main([*cfg, *flat(options)]) == 0
    assert checkpoint_path(options["OUTPUT_DIR"], 2).stat().st_mtime_ns == before


def test_fine_tuning_from_another_run(cfg, options, tmp_path, capsys):
    options |= {"GLORE.LOCATION": "[]", "SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {
        "GLORE.LOCATION": "[[[0]]]",
        "TRAIN.CHECKPOINT_FILE_PATH": first,
        "OUTPUT_DIR": tmp_path / "second",
        "SOLVER.BASE_LR": 0,
        "SOLVER.WARMUP_START_LR": 0,
    }
    assert main([*cfg, *flat(options)]) == 2
    assert "glore" in capsys.readouterr().err
    options |= {"TRAIN.CHECKPOINT_ALLOW": "[units]"}
    assert main([*cfg, *flat(options)]) == 0
    old, new = weights_of(first, 1), weights_of(tmp_path / "second", 1)
    assert torch.equal(old["classifier.weight"], new["classifier.weight"])
    assert "stage1.0.glore.conv_proj.weight" in new


def test_unreadable_test_video_is_listed(cfg, options, videos, tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.mp4").touch()
    good = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(3)]
    for split in ("train", "val", "test"):
        (data / f"{split}.csv").write_text("".join([good[0], "empty.mp4 1\n", *good[1:]]))
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TRAIN.BATCH_SIZE": 2}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert (summary["videos_expected"], summary["videos_scored"]) == (4, 3)
    (failed,) = summary["failed"]
    assert failed["path"] == str(data / "empty.mp4")
    assert failed["reason"]
    assert f"not scored, unreadable: {data / 'empty.mp4'}" in capsys.readouterr().err


def test_all_test_videos_unreadable(cfg, options, tmp_path, capsys):
    assert main([*cfg, *flat(options), "TEST.ENABLE", "False"]) == 0
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.mp4").touch()
    (data / "test.csv").write_text("empty.mp4 1\n")
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TRAIN.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 2
    assert "none of the 1 test videos could be read" in capsys.readouterr().err


def one_error_line(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("2")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DATA.NUM_FRAME": 8}, "unknown key DATA.NUM_FRAME; did you mean DATA.NUM_FRAMES?"),
        ({"DATA.PATH_TO_DATA_DIR": "/nowhere"}, "DATA.PATH_TO_DATA_DIR = /nowhere: no such folder"),
        ({"DATA.PATH_TO_DATA_DIR": ""}, "DATA.PATH_TO_DATA_DIR is empty"),
        ({"DATA.PATH_TO_DATA_DIR": "."}, "train.csv: no such list"),
        ({"MODEL.NUM_CLASSES": 3}, "class_names.txt: 2 names, but MODEL.NUM_CLASSES = 3"),
        ({"TRAIN.BATCH_SIZE": 9}, "TRAIN.BATCH_SIZE = 9 is more than the 8 training videos"),
        ({"NUM_GPUS": 64}, "NUM_GPUS = 64, but torch sees"),
        ({"GLORE.LOCATION": "[[[7]]]"}, "error: GLORE.LOCATION = [[[7]]]: no block 7 in stage 0"),
        ({"NONLOCAL.LOCATION": "[[], [[0, 0]]]"}, "error: NONLOCAL.LOCATION = [[], [[0, 0]]]: "),
        ({"TRAIN.ENABLE": False}, "no weights to test: no "),
        ({"TRAIN.ENABLE": False, "TEST.ENABLE": False}, "TRAIN.ENABLE = False and TEST.ENABLE ="),
        ({"OUTPUT_DIR": __file__}, f"OUTPUT_DIR = {__file__}: {__file__} is a file, not a folder"),
        ({"OUTPUT_DIR": f"{__file__}/x/y"}, f"x/y: {__file__} is a file, not a folder"),
        ({"OUTPUT_DIR": ""}, "OUTPUT_DIR is empty"),
        (
            {"TRAIN.CHECKPOINT_FILE_PATH": __file__},
            "test_run.py is not a checkpoint that torch.load",
        ),
        ({"TRAIN.CHECKPOINT_FILE_PATH": "/no.pyth"}, "TRAIN.CHECKPOINT_FILE_PATH = /no.pyth"),
        ({"TEST.CHECKPOINT_FILE_PATH": "/n.pyth", "TRAIN.ENABLE": False}, "TEST.CHECKPOINT_FILE"),
        ({"TRAIN.BATCH_SIZE": 3, "CPU_PROCESSES": 2}, "can't be shared evenly by 2 processes"),
    ],
)
def test_user_errors_are_one_line(cfg, options, capsys, change, message):
    assert main([*cfg, *flat(options | change)]) == 2
    assert message in one_error_line(capsys)


@pytest.fixture
def other_weights(cfg, options, tmp_path):
    """Weights of the run's network for 5 classes, and with units that its config does not have."""
    words = flat(options | {"MODEL.NUM_CLASSES": 5, "GLORE.LOCATION": "[[[0]], [[0]]]"})
    path = tmp_path / "5 classes.pyth"
    save_weights(build_model(load_config(None, words)), path)
    return path


def test_weights_that_do_not_fit_are_refused_with_the_key_that_lets_them_in(
    cfg, options, other_weights, capsys
):
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": other_weights, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.startswith("error: TRAIN.CHECKPOINT_FILE_PATH: ")
    assert line.endswith('; TRAIN.CHECKPOINT_ALLOW "[head, units]" accepts it')
    assert "allow=" not in line
    # As a shell gives it to the program.
    (key, value) = shlex.split(line[line.index("TRAIN.CHECKPOINT_ALLOW") :])[:2]
    assert main([*cfg, *flat(options), key, value]) == 0


def test_weights_to_test_that_do_not_fit(cfg, options, other_weights, capsys):
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": other_weights}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.startswith("error: TEST.CHECKPOINT_FILE_PATH: ")
    assert line.endswith("; MODEL.NUM_CLASSES 5 in the configuration fits it")


def test_units_trained_otherwise_name_their_key(cfg, options, tmp_path, capsys):
    path = tmp_path / "w.pyth"
    words = flat(options | {"GLORE.NORMALIZE": False})
    save_weights(build_model(load_config(None, words)), path)
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": path}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.endswith("; GLORE.NORMALIZE False in the configuration fits them")
    assert "normalize=" not in line


def test_a_text_file_is_no_checkpoint_and_nobody_is_told_to_run_it(cfg, options, tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("some notes\n")
    for enable in (True, False):
        key = f"{'TRAIN' if enable else 'TEST'}.CHECKPOINT_FILE_PATH"
        assert main([*cfg, *flat(options | {"TRAIN.ENABLE": enable, key: path})]) == 2
        line = one_error_line(capsys)
        assert line.startswith(f"error: {key}: {path} is not a checkpoint")
        assert line.endswith("it is damaged, or was not written by torch.save")


def test_a_warm_up_that_does_not_end_is_said(cfg, options, capsys):
    options |= {"SOLVER.WARMUP_EPOCHS": 2, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    assert "SOLVER.WARMUP_EPOCHS = 2 is no shorter than the run, SOLVER.MAX_EPOCH = 2" in (
        capsys.readouterr().err
    )


def test_videos_listed_twice_are_said(cfg, options, videos, tmp_path, capsys):
    lines = (videos / "test.csv").read_text().splitlines(keepends=True)
    (tmp_path / "data").mkdir()
    for split in ("train", "val", "test"):
        again = lines[2:5] if split == "test" else []
        (tmp_path / "data" / f"{split}.csv").write_text("".join(lines + again))
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path / "data", "DATA.PATH_PREFIX": videos}
    assert main([*cfg, *flat(options | {"SOLVER.MAX_EPOCH": 1})]) == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if " again, " in line)
    assert f"test.csv lists 3 videos again, {videos / 'clips' / '2.mp4'} among them" in line


@pytest.mark.parametrize("classes", [5, 6])
def test_top5_is_said_of_more_than_five_classes(cfg, options, videos, tmp_path, capsys, classes):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text((videos / "test.csv").read_text())
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path, "DATA.PATH_PREFIX": videos}
    options |= {"MODEL.NUM_CLASSES": classes, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if " test: video " in line)
    assert (", top-5 " in line) == (classes == 6)
    assert ", single clip top-1 " in line
    folder = options["OUTPUT_DIR"] / "test"
    assert "video_top5" in json.loads((folder / "summary.json").read_text())
    assert ("top-5" in (folder / "report.html").read_text()) == (classes == 6)


def test_tabs_between_paths_and_labels(cfg, options, videos, tmp_path):
    text = (videos / "test.csv").read_text().replace(" ", "\t")
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text(text)
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path, "DATA.PATH_PREFIX": videos}
    assert (
        main([*cfg, *flat(options), "DATA.PATH_LABEL_SEPARATOR", r"\t", "SOLVER.MAX_EPOCH", "1"])
        == 0
    )


def test_other_synthetic_videos_are_named_by_their_keys(cfg, options, tmp_path, capsys):
    options |= {
        "DATA.PATH_TO_DATA_DIR": tmp_path / "made",
        "DATA.RANDOM_FLIP": False,
        "SYNTHETIC.LABELS": "same",
        "SYNTHETIC.NUM_TRAIN": 4,
        "SYNTHETIC.NUM_VAL": 1,
        "SYNTHETIC.NUM_FRAMES": 2,
        "SYNTHETIC.SIZE": 48,
    }
    render_synthetic(load_config(None, flat(options)))
    changes = {"SYNTHETIC.SIZE": 50, "SYNTHETIC.LABELS": "pair", "MODEL.NUM_CLASSES": 10}
    assert main([*cfg, *flat(options | changes)]) == 2
    line = one_error_line(capsys)
    assert line.startswith(f"error: DATA.PATH_TO_DATA_DIR: {tmp_path / 'made'} holds other")
    assert "SYNTHETIC.LABELS = 'pair', there 'same'; SYNTHETIC.SIZE = 50, there 48;" in line


def test_own_videos_are_never_to_be_deleted(options, videos, capsys):
    """The configs of the demonstration render; a newcomer names the folder of their own videos."""
    options |= {"DATA.RANDOM_FLIP": False, "OUTPUT_DIR": options["OUTPUT_DIR"] / "o"}
    assert main(["--cfg", "configs/quickstart.yaml", *flat(options)]) == 2
    line = one_error_line(capsys)
    assert "delete" not in line
    assert f"{videos} is no rendered dataset; there is class_names.txt, clips/, test.csv" in line
    assert "SYNTHETIC.LABELS = pair renders videos into a folder of their own" in line
    assert "SYNTHETIC.LABELS none" in line
    assert "--cfg k400_glore_r50_finetune" in line
    assert (videos / "clips" / "0.mp4").is_file()


@pytest.mark.parametrize("word", ["none", "", "''"], ids=["none", "empty", "quotes"])
def test_labels_of_the_rendering_can_be_taken_off_in_a_shell(word):
    config = load_config("configs/quickstart.yaml", ["SYNTHETIC.LABELS", word])
    assert config.SYNTHETIC.LABELS == "none"


def test_label_out_of_range(cfg, options, videos, tmp_path, capsys):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text(f"{videos}/clips/0.mp4 {2 * (split == 'train')}\n")
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path}
    assert main([*cfg, *flat(options)]) == 2
    assert "train.csv:1: label 2 is not in 0 .. 1" in one_error_line(capsys)


def test_checkpoint_of_another_network(cfg, options, capsys):
    options |= {"SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    capsys.readouterr()
    options |= {"GLORE.LOCATION": "[]", "SOLVER.MAX_EPOCH": 2, "TRAIN.RESUME_CHANGED": True}
    assert main([*cfg, *flat(options)]) == 2
    assert "is of another network" in one_error_line(capsys)


def test_divergence_stops_the_run(cfg, options, capsys):
    options |= {"SOLVER.BASE_LR": 1e30, "SOLVER.MAX_EPOCH": 9}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert re.search(r"step [12] of 2 in epoch \d: the output of .* values are not finite", line), (
        line
    )
    assert "Lower SOLVER.BASE_LR" in line


@pytest.mark.parametrize("trains", [True, False], ids=["training", "test"])
@pytest.mark.filterwarnings("ignore:units that did not run")
def test_units_that_the_network_does_not_run_are_refused(
    cfg, options, tmp_path, capsys, monkeypatch, trains
):
    def past_the_block(self, x):
        first, second = self.stage1
        x = self.stage2(second(first.forward(self.stem(x))))
        return self.classifier(x.mean((2, 3, 4)))

    model = insert_glore(TinyResNet3d(2), after=["stage1.0"])
    save_weights(model, tmp_path / "weights.pyth")
    monkeypatch.setattr(TinyResNet3d, "forward", past_the_block)
    options |= {"TRAIN.ENABLE": trains, "TEST.CHECKPOINT_FILE_PATH": tmp_path / "weights.pyth"}
    assert main([*cfg, *flat(options)]) == 2
    assert "units that did not run when the network ran: stage1.0.glore. " in one_error_line(capsys)


def test_missing_cfg(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train"])
    assert stopped.value.code == 2
    assert "--cfg FILE is needed" in capsys.readouterr().err


def test_help_config(capsys):
    assert main(["--help-config"]) == 0
    assert "DATA.NUM_FRAMES" in capsys.readouterr().out


def test_dry_run(cfg, options, capsys):
    assert main([*cfg, "--dry-run", *flat(options)]) == 0
    out = capsys.readouterr().out
    assert "8 videos, 2 steps of 4 clips" in out
    assert "views a video:  6" in out
    assert "clip span:      0.10 s of a 30 fps video" in out
    assert not options["OUTPUT_DIR"].exists()


def test_channels_last_scores_the_same(cfg, options, tmp_path):
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": first}
    options |= {"MODEL.CHANNELS_LAST": True, "OUTPUT_DIR": tmp_path / "second"}
    assert main([*cfg, *flat(options)]) == 0
    logits = [
        np.load(folder / "test" / "scores.npz")["logits"] for folder in (first, tmp_path / "second")
    ]
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-4)


def test_decord_reads_too(cfg, options):
    pytest.importorskip("decord")
    options |= {"DATA.DECODING_BACKEND": "decord", "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_mixed_precision(cfg, options, dtype):
    options |= {"TRAIN.MIXED_PRECISION": True, "TRAIN.AMP_DTYPE": dtype, "SOLVER.MAX_EPOCH": 1}
    options |= {"DATA.NUM_FRAMES": 4}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert summary["videos_scored"] == 8


def test_bf16_on_the_cpu_with_too_few_frames_is_refused(cfg, options, capsys):
    options |= {"TRAIN.MIXED_PRECISION": True, "DATA.NUM_FRAMES": 2}
    assert main([*cfg, *flat(options)]) == 2
    assert "TRAIN.MIXED_PRECISION in bf16 on the CPU: stem.0 sees 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"SOLVER.OPTIMIZING_METHOD": "adamw", "SOLVER.BASE_LR": 0.001, "SOLVER.CLIP_GRAD_VAL": 0.1},
        {"TRAIN.ACCUMULATION_STEPS": 2, "MODEL.ACT_CHECKPOINT": True, "TRAIN.EMA_DECAY": 0.9},
        {"BN.NORM_TYPE": "sub_batchnorm", "BN.NUM_SPLITS": 2, "BN.FREEZE_AFFINE": True},
        {"MIXUP.ENABLE": True, "AUG.NUM_SAMPLE": 2, "AUG.ENABLE": True},
        pytest.param({"MODEL.COMPILE": True}, marks=pytest.mark.slow),
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


def test_frozen_norms_keep_what_they_start_from(cfg, options, tmp_path):
    options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": first, "OUTPUT_DIR": tmp_path / "second"}
    options |= {"MODEL.FROZEN_BN": True}
    assert main([*cfg, *flat(options)]) == 0
    old, new = weights_of(first, 1), weights_of(tmp_path / "second", 1)
    assert torch.equal(old["stem.1.running_mean"], new["stem.1.running_mean"])
    assert not torch.equal(old["stem.1.weight"], new["stem.1.weight"])


def test_the_moving_average_is_validated_and_tested(cfg, options, tmp_path):
    options |= {"TRAIN.EMA_DECAY": 0.999, "SOLVER.BASE_LR": 0.2, "TRAIN.EVAL_PERIOD": 1}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    line = next(x for x in lines_of(first / "metrics.jsonl") if x["split"] == "val_epoch")
    assert line["ema_loss"] != line["loss"]
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": first, "TEST.EMA": False}
    assert main([*cfg, *flat(options | {"OUTPUT_DIR": tmp_path / "second"})]) == 0
    logits = [
        np.load(folder / "test" / "scores.npz")["logits"] for folder in (first, tmp_path / "second")
    ]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    state = read_checkpoint(checkpoint_path(first, 2))
    path = tmp_path / "average.pyth"
    torch.save({"model_state": state["ema_state"]}, path)
    options |= {"TEST.CHECKPOINT_FILE_PATH": path, "OUTPUT_DIR": tmp_path / "third"}
    assert main([*cfg, *flat(options)]) == 0
    again = np.load(tmp_path / "third" / "test" / "scores.npz")["logits"]
    np.testing.assert_array_equal(logits[0], again)


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


def test_precise_batch_norm_makes_the_statistics_those_of_the_clips(cfg, options):
    options |= {
        "BN.USE_PRECISE_STATS": True,
        "SOLVER.BASE_LR": 0,
        "SOLVER.WARMUP_START_LR": 0,
        "SOLVER.MAX_EPOCH": 1,
        "TRAIN.EMA_DECAY": 0.9,
        "TEST.ENABLE": False,
    }
    assert main([*cfg, *flat(options)]) == 0
    precise = read_checkpoint(checkpoint_path(options["OUTPUT_DIR"], 1))
    options |= {"BN.USE_PRECISE_STATS": False, "OUTPUT_DIR": options["OUTPUT_DIR"] / "b"}
    assert main([*cfg, *flat(options)]) == 0
    averaged = weights_of(options["OUTPUT_DIR"], 1)
    for norm in ("stem.1", "stage1.0.glore.blocker"):
        key = f"{norm}.running_var"
        # Two steps of momentum 0.1 leave 0.81 of the initial variance, which is 1.
        for state in ("model_state", "ema_state"):
            assert torch.allclose(averaged[key], 0.81 + 0.19 * precise[state][key], rtol=0.05)
            assert (precise[state][key] > 0).all()


def run_tool(arguments, launcher=(sys.executable,)):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*launcher, os.path.join(root, "tools", "run_net.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["CPU_PROCESSES", "torchrun"])
def test_two_processes_give_the_scores_of_one(cfg, options, tmp_path, videos, way):
    data = tmp_path / "data"
    data.mkdir()
    lines = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(5)]
    (data / "empty.mp4").touch()
    (data / "test.csv").write_text("".join([*lines, "empty.mp4 0\n", lines[0]]))
    options |= {"SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    options |= {
        "TRAIN.ENABLE": False,
        "DATA.PATH_TO_DATA_DIR": data,
        "TEST.CHECKPOINT_FILE_PATH": options["OUTPUT_DIR"],
        "TEST.BATCH_SIZE": 2,
    }
    scores = []
    for processes in (1, 2):
        options |= {"OUTPUT_DIR": tmp_path / str(processes)}
        launcher = [sys.executable]
        if processes == 2 and way == "torchrun":
            launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        elif processes == 2:
            options |= {"CPU_PROCESSES": 2}
        done = run_tool([*cfg, *flat(options)], launcher)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / str(processes) / "test" / "scores.npz") as arrays:
            scores.append({key: arrays[key] for key in arrays})
    assert scores[0]["paths"].tolist() == scores[1]["paths"].tolist()
    assert len(scores[0]["paths"]) == 6
    np.testing.assert_array_equal(scores[0]["labels"], scores[1]["labels"])
    # A forward pass of one view or of two may round differently.
    np.testing.assert_allclose(scores[0]["logits"], scores[1]["logits"], rtol=1e-4, atol=1e-5)
    assert not (tmp_path / "2" / "test" / "parts").exists()


@pytest.mark.slow
def test_two_processes_train_to_the_same_weights(cfg, options, tmp_path):
    """Without batch norm's and dropout's share the global batch is all that counts."""
    options |= {"CPU_PROCESSES": 2, "TRAIN.EMA_DECAY": 0.9}
    done = run_tool([*cfg, *flat(options)])
    assert done.returncode == 0, done.stderr
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert summary["videos_scored"] == 8
    (validation,) = [
        line
        for line in lines_of(options["OUTPUT_DIR"] / "metrics.jsonl")
        if line["split"] == "val_epoch"
    ]
    assert (validation["videos_expected"], validation["videos_scored"]) == (8, 8)
    state = read_checkpoint(checkpoint_path(options["OUTPUT_DIR"], 2))
    # The moving average has the last statistics of the network, of both processes' clips.
    statistics = [key for key in state["model_state"] if "running" in key]
    assert statistics
    for key in statistics:
        assert torch.equal(state["ema_state"][key], state["model_state"][key]), key


@pytest.mark.slow
def test_error_in_spawned_processes_is_short(cfg, options):
    options |= {"CPU_PROCESSES": 2, "SOLVER.BASE_LR": 1e30, "SOLVER.MAX_EPOCH": 9}
    done = run_tool([*cfg, *flat(options)])
    assert done.returncode == 2
    assert re.search(r"step 2 of 2 in epoch 1: the .* values are not finite", done.stderr)
    assert "Lower SOLVER.BASE_LR" in done.stderr
    assert "Traceback" not in done.stderr


CLOSED = """
import os, sys
os.close(0); os.close(1); os.close(2)
sys.stdout = sys.stderr = None
"""


def test_a_run_without_standard_streams(cfg, options, tmp_path):
    """As services start it; what it has to say is in log.txt."""
    assert forked_run([*cfg, *flat(options)], CLOSED, tmp_path / "said.txt") == 0
    assert "test: video top-1" in (options["OUTPUT_DIR"] / "log.txt").read_text()
