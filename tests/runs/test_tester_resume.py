"""A test that was stopped goes on where it stopped, and leaves the same files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.engine import tester
from glore_video.engine.record_shards import RecordShards
from glore_video.models import save_weights
from glore_video.runs.network import build_model
from glore_video.tasks.classification.evaluation import ViewsEvaluation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights(options, tmp_path):
    """A function that writes the file of weights to test, drawn from a seed."""
    path = tmp_path / "weights.pyth"
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": path}

    def draw(seed):
        pairs = [str(word) for pair in options.items() for word in pair]
        torch.manual_seed(seed)
        save_weights(build_model(load_config(None, pairs)), path)

    draw(0)
    return draw


@pytest.fixture
def words(weights, options, tmp_path):
    """A function that gives the words of a test with some keys changed."""
    (tmp_path / "empty.yaml").write_text("")

    def words(changes):
        pairs = (options | changes).items()
        return ["--cfg", str(tmp_path / "empty.yaml"), *(str(word) for o in pairs for word in o)]

    return words


def scores_of(folder):
    return (folder / "test" / "scores.npz").read_bytes()


@pytest.fixture
def stop_after(monkeypatch):
    """The next test stops at its n-th video; returns how many videos have been scored since."""
    real, state = ViewsEvaluation.record, {"stop": None, "scored": 0}

    def record(*arguments, **more):
        if state["scored"] == state["stop"]:
            raise KeyboardInterrupt
        state["scored"] += 1
        return real(*arguments, **more)

    monkeypatch.setattr(ViewsEvaluation, "record", record)

    def stop(number):
        before, state["scored"], state["stop"] = state["scored"], 0, number
        return before

    return stop


def test_interrupted_test_goes_on(words, tmp_path, stop_after, capsys):
    whole = tmp_path / "whole"
    assert main(words({"OUTPUT_DIR": whole})) == 0
    out = tmp_path / "stopped"
    stop_after(5)
    assert main(words({"OUTPUT_DIR": out})) == 130
    assert "the test is stopped; the same command goes on from here" in capsys.readouterr().err
    assert not (out / "test" / "scores.npz").exists()
    assert list((out / "test" / "parts").glob("*.npz"))
    stop_after(None)
    assert main(words({"OUTPUT_DIR": out})) == 0
    assert stop_after(None) == 3
    assert scores_of(out) == scores_of(whole)
    table = "test/predictions.csv"
    assert (out / table).read_bytes() == (whole / table).read_bytes()
    summaries = [
        json.loads((folder / "test" / "summary.json").read_text()) for folder in (out, whole)
    ]
    for summary in summaries:
        del summary["seconds"]
    assert summaries[0] == summaries[1]
    assert not (out / "test" / "parts").exists()


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"TEST.BATCH_SIZE": 2, "LOG_PERIOD": 7, "DATA_LOADER.PIN_MEMORY": False}, 3),
        ({"DATA.MEAN": "[0.4, 0.45, 0.45]"}, 8),
        ({"TEST.VIEW_SPACING": "ends"}, 8),
        ({"TRAIN.MIXED_PRECISION": True}, 8),
    ],
)
def test_only_the_same_test_goes_on(words, tmp_path, stop_after, capsys, changes, again):
    out = tmp_path / "out"
    stop_after(5)
    assert main(words({"OUTPUT_DIR": out})) == 130
    assert "the test is stopped; the same command goes on from here" in capsys.readouterr().err
    stop_after(None)
    assert main(words({"OUTPUT_DIR": out, **changes})) == 0
    assert stop_after(None) == again
    err = capsys.readouterr().err
    if again == 8:
        assert f"not used, it differs in {next(iter(changes))}" in err
    else:
        assert "going on: 5 of 8 videos are scored already" in err


def test_other_weights_and_lists_do_not_go_on(words, weights, videos, tmp_path, stop_after, capsys):
    out = tmp_path / "out"
    data = tmp_path / "data"
    data.mkdir()
    lines = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(8)]
    (data / "test.csv").write_text("".join(lines))
    stop_after(5)
    assert main(words({"OUTPUT_DIR": out, "DATA.PATH_TO_DATA_DIR": data})) == 130
    (data / "test.csv").write_text("".join(lines[::-1]))
    stop_after(6)
    assert main(words({"OUTPUT_DIR": out, "DATA.PATH_TO_DATA_DIR": data})) == 130
    assert "it differs in list" in capsys.readouterr().err
    weights(1)  # at the same path
    stop_after(None)
    assert main(words({"OUTPUT_DIR": out, "DATA.PATH_TO_DATA_DIR": data})) == 0
    assert stop_after(None) == 8
    assert "it differs in weights" in capsys.readouterr().err


def test_failed_videos_are_tried_again(words, videos, tmp_path, stop_after):
    data = tmp_path / "data"
    data.mkdir()
    (data / "late.mp4").touch()
    lines = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(4)]
    (data / "test.csv").write_text("".join(["late.mp4 0\n", *lines]))
    words = words({"OUTPUT_DIR": tmp_path / "out", "DATA.PATH_TO_DATA_DIR": data})
    stop_after(3)
    assert main(words) == 130
    (data / "late.mp4").write_bytes((videos / "clips" / "0.mp4").read_bytes())
    stop_after(None)
    assert main(words) == 0
    assert stop_after(None) == 2
    summary = json.loads((tmp_path / "out" / "test" / "summary.json").read_text())
    assert (summary["videos_scored"], summary["failed"]) == (5, [])


def test_scores_of_others_that_are_not_to_be_seen_are_an_error(
    words, tmp_path, monkeypatch, capsys
):
    """As with OUTPUT_DIR on a disk of the machine: nobody's scores are left out in silence."""
    monkeypatch.setattr(tester._wait_for, "__kwdefaults__", {"seconds": 0.0})
    finished = RecordShards.finished
    monkeypatch.setattr(RecordShards, "finished", lambda self: finished(self)[:6])
    assert main(words({"OUTPUT_DIR": tmp_path / "out"})) == 2
    assert "parts holds the scores of 6 videos, 8 were scored" in capsys.readouterr().err
    assert not (tmp_path / "out" / "test" / "scores.npz").exists()


SLOWLY = """
import sys, time
from glore_video.cli.main import main
from glore_video.engine.record_shards import RecordShards
from glore_video.tasks.classification.evaluation import ViewsEvaluation
RecordShards.__init__.__kwdefaults__["seconds"] = 0.0
real = ViewsEvaluation.record
def record(*arguments, **more):
    time.sleep(0.5)
    return real(*arguments, **more)
ViewsEvaluation.record = record
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_process(words, tmp_path, processes):
    """SIGKILL, a real one; the test goes on in another number of processes, to the same bytes."""
    whole, out = tmp_path / "whole", tmp_path / "killed"
    # One view a forward pass at any number of processes: rounding depends on the size.
    assert main(words({"OUTPUT_DIR": whole, "TEST.BATCH_SIZE": 1})) == 0
    (tmp_path / "slowly.py").write_text(SLOWLY)
    words = words(
        {"OUTPUT_DIR": out, "TEST.BATCH_SIZE": 1, "CPU_PROCESSES": processes, "CPU_THREADS": 1}
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    killed = subprocess.Popen(
        [sys.executable, str(tmp_path / "slowly.py"), *words],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parts = out / "test" / "parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (out / "test" / "scores.npz").exists()
    assert 2 <= len(list(parts.glob("*.npz"))) < 8
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "tools" / "run_net.py")),
            *words,
            *("CPU_PROCESSES", str(3 - processes)),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "videos are scored already" in done.stderr
    assert scores_of(out) == scores_of(whole)
    assert not parts.exists()
