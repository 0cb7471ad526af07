"""Whole runs in several processes, and without standard streams."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from run_files import flat, lines_of
from test_unforeseen import forked_run

from glore_video.cli.main import main
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint


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
