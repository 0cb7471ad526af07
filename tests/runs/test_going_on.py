"""What is checked before a run writes into OUTPUT_DIR: an earlier run there, its settings, another process."""

import json
import subprocess
import sys
import time

import pytest
import torch
from run_files import flat, weights_of

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.engine.checkpoint import checkpoint_path, last_checkpoint, read_checkpoint

FAST = {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def errors_of(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]


@pytest.fixture
def trained(cfg, options, capsys):
    """The options of a run of one epoch that is done."""
    options |= FAST
    assert main([*cfg, *flat(options)]) == 0
    capsys.readouterr()
    return options


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SOLVER.BASE_LR": 0.1}, "SOLVER.BASE_LR = 0.1, was 0.05"),
        ({"DATA.SAMPLING_RATE": 1}, "DATA.SAMPLING_RATE = 1, was 2"),
        ({"GLORE.LOCATION": "[]"}, "GLORE.LOCATION = [], was [[[0]]]"),
        ({"SOLVER.MAX_EPOCH": 2}, "SOLVER.MAX_EPOCH = 2, was 1 (the curve of the learning rate"),
        ({"AUG.ENABLE": True, "RNG_SEED": 3}, "AUG.ENABLE = True, was False; RNG_SEED = 3, was 0"),
    ],
    ids=["learning rate", "sampling", "network", "epochs", "two"],
)
def test_other_settings_are_refused_and_change_nothing(cfg, trained, capsys, change, said):
    before = content(trained["OUTPUT_DIR"])
    assert main([*cfg, *flat(trained | change)]) == 2
    (line,) = errors_of(capsys)
    assert f"checkpoint_epoch_00001.pyth was trained with other settings: {said}" in line
    assert "TRAIN.RESUME_CHANGED True" in line
    assert content(trained["OUTPUT_DIR"]) == before


def test_harmless_settings_are_listed(cfg, trained, capsys):
    change = {"LOG_PERIOD": 2, "DATA_LOADER.NUM_WORKERS": 1}
    assert main([*cfg, *flat(trained | change)]) == 0
    said = capsys.readouterr().err
    assert "with other settings: DATA_LOADER.NUM_WORKERS = 1, was 0; LOG_PERIOD = 2, was 1" in said


def test_going_on_with_other_settings_takes_the_new_ones(cfg, trained, capsys):
    """What the optimiser remembers is kept; its weight decay and momentum are the new ones."""
    change = {"SOLVER.MAX_EPOCH": 2, "SOLVER.WEIGHT_DECAY": 0.25, "SOLVER.MOMENTUM": 0.5}
    assert main([*cfg, *flat(trained | change | {"TRAIN.RESUME_CHANGED": True})]) == 0
    assert "with other settings than it had: SOLVER.MAX_EPOCH = 2, was 1" in capsys.readouterr().err
    groups = read_checkpoint(checkpoint_path(trained["OUTPUT_DIR"], 2))["optimizer_state"][
        "param_groups"
    ]
    assert {group["momentum"] for group in groups} == {0.5}
    assert 0.25 in {group["weight_decay"] for group in groups}
    assert load_config(trained["OUTPUT_DIR"] / "config.yaml").SOLVER.MAX_EPOCH == 2


def test_fewer_epochs_than_are_done_are_refused(cfg, options, capsys):
    options |= {"TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    capsys.readouterr()
    for more in ({}, {"TRAIN.RESUME_CHANGED": True}):
        assert main([*cfg, *flat(options | {"SOLVER.MAX_EPOCH": 1} | more)]) == 2
        (line,) = errors_of(capsys)
        assert "SOLVER.MAX_EPOCH = 1, but" in line
        assert "has 2 epochs" in line


def test_other_classes_or_videos_are_refused(cfg, trained, videos, tmp_path, capsys):
    data = tmp_path / "other"
    data.mkdir()
    lines = [f"{videos}/clips/{number}.mp4 {number % 2}\n" for number in range(8)]
    for split in ("train", "val", "test"):
        (data / f"{split}.csv").write_text("".join(lines))
    (data / "class_names.txt").write_text("bright\ndark\n")
    trained |= {"DATA.PATH_TO_DATA_DIR": data}
    assert main([*cfg, *flat(trained)]) == 2
    assert "class 0 is 'bright', was 'dark'" in errors_of(capsys)[0]
    (data / "class_names.txt").write_text("dark\nbright\n")
    (data / "train.csv").write_text("".join(lines[:6]))
    assert main([*cfg, *flat(trained)]) == 2
    assert "6 training videos, were 8" in errors_of(capsys)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"DATA.PATH_TO_DATA_DIR": "/no/such/folder"},
        {"TRAIN.CHECKPOINT_FILE_PATH": "/no/such/file"},
        {"TRAIN.BATCH_SIZE": 64},
        {"TRAIN.ENABLE": False, "TEST.ENABLE": True},
    ],
    ids=["data", "weights", "batch", "nothing to test"],
)
def test_a_refused_run_leaves_no_folder(cfg, options, capsys, change):
    assert main([*cfg, *flat(options | FAST | change)]) == 2
    assert len(errors_of(capsys)) == 1
    assert not options["OUTPUT_DIR"].exists()


def test_what_was_said_before_it_was_accepted_is_in_the_log(cfg, options, tmp_path):
    (tmp_path / "empty.yaml").write_text("TEST:\n  SAVE_RESULTS_PATH: x\n")
    assert main([*cfg, *flat(options | FAST)]) == 0
    log = (options["OUTPUT_DIR"] / "log.txt").read_text()
    assert log.count("no effect here: TEST.SAVE_RESULTS_PATH") == 1
    assert log.index("no effect here") < log.index("training tiny on 8 videos")


def test_starting_anew_keeps_the_earlier_run(cfg, options, capsys):
    """Of which the last checkpoint would be tested, if it had more epochs."""
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    before = weights_of(out, 2)
    options |= {"TRAIN.AUTO_RESUME": False, "SOLVER.MAX_EPOCH": 1, "RNG_SEED": 5}
    capsys.readouterr()
    assert main([*cfg, *flat(options)]) == 0
    assert f"is now in {out / 'earlier_1'}" in capsys.readouterr().err
    assert last_checkpoint(out) == checkpoint_path(out, 1)
    after = weights_of(out / "earlier_1", 2)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert (out / "earlier_1" / "test" / "scores.npz").is_file()
    assert load_config(out / "earlier_1" / "config.yaml").SOLVER.MAX_EPOCH == 2
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps if line["split"] == "train_iter"] == [1, 2]


def test_weights_that_would_be_moved_aside_are_refused(cfg, trained, capsys):
    before = content(trained["OUTPUT_DIR"])
    trained |= {
        "TRAIN.AUTO_RESUME": False,
        "TRAIN.CHECKPOINT_FILE_PATH": trained["OUTPUT_DIR"],
    }
    assert main([*cfg, *flat(trained)]) == 2
    assert "is in OUTPUT_DIR" in errors_of(capsys)[0]
    assert content(trained["OUTPUT_DIR"]) == before


def test_a_test_leaves_the_configuration_of_the_training(cfg, trained, capsys):
    out = trained["OUTPUT_DIR"]
    before = (out / "config.yaml").read_bytes()
    change = {"TRAIN.ENABLE": False, "TEST.ENABLE": True, "TEST.NUM_ENSEMBLE_VIEWS": 1}
    assert main([*cfg, *flat(trained | change)]) == 0
    assert (out / "config.yaml").read_bytes() == before
    assert load_config(out / "test" / "config.yaml").TEST.NUM_ENSEMBLE_VIEWS == 1
    assert "NUM_ENSEMBLE_VIEWS: 1" in (out / "test" / "report.html").read_text()


HOLD = """
import sys, time
from pathlib import Path
from glore_video.engine.output_dir import FolderLock
with FolderLock(Path(sys.argv[1])) as lock:
    lock.take()
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held():
    """Another process holds a folder's lock."""
    processes = []

    def hold(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_run_in_the_same_folder_is_refused(cfg, trained, held, capsys):
    out = trained["OUTPUT_DIR"]
    other = held(out)
    before = content(out)
    assert main([*cfg, *flat(trained)]) == 2
    (line,) = errors_of(capsys)
    assert f"OUTPUT_DIR = {out}: process {other.pid} on " in line
    assert content(out) == before
    # A test beside it is not hindered.
    assert main([*cfg, *flat(trained | {"TRAIN.ENABLE": False, "TEST.ENABLE": True})]) == 0
    other.kill()  # its death frees the folder
    other.wait()
    assert main([*cfg, *flat(trained)]) == 0


def test_a_test_waits_for_another_in_the_same_folder(cfg, options, held, capsys, monkeypatch):
    other = held(options["OUTPUT_DIR"] / "test")
    real = time.sleep

    def sleep(seconds):
        if seconds == 1:
            other.communicate(b"")
        else:
            real(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    assert main([*cfg, *flat(options | {"SOLVER.MAX_EPOCH": 1})]) == 0
    assert f"waiting until it is done: process {other.pid} on " in capsys.readouterr().err
    assert (options["OUTPUT_DIR"] / "test" / "summary.json").is_file()


def test_what_a_run_without_a_checkpoint_left_is_moved_aside(cfg, options):
    """As one that was killed before the first: its metrics and best weights are all there is."""
    out = options["OUTPUT_DIR"]
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "checkpoint_best.pyth").write_bytes(b"best")
    (out / "metrics.jsonl").write_text('{"split": "train_iter", "step": 1}\n')
    assert main([*cfg, *flat(options | FAST)]) == 0
    earlier = out / "earlier_1"
    assert (earlier / "checkpoints" / "checkpoint_best.pyth").read_bytes() == b"best"
    assert (earlier / "metrics.jsonl").read_text().count("\n") == 1
    assert checkpoint_path(out, 1).is_file()
