"""Runs that are killed anywhere and started again end as the run that never was, bit for bit."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from forked_runs import ROOT, Server, free_port

from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint

pytestmark = pytest.mark.slow

SAMPLES, BATCH, EPOCHS = 24, 4, 2
STEPS = SAMPLES // BATCH


@pytest.fixture(scope="module")
def server():
    with Server() as one:
        yield one


@pytest.fixture
def arguments(videos, tmp_path, options):
    """Of a run of 2 epochs of 6 steps; OUTPUT_DIR is for the test to add."""
    data = tmp_path / "data"
    data.mkdir()
    lines = "".join(f"{videos}/clips/{n % 8}.mp4 {n % 2}\n" for n in range(SAMPLES))
    for split in ("train", "val"):
        (data / f"{split}.csv").write_text(lines)
    (tmp_path / "empty.yaml").write_text("")
    options |= {
        "DATA.PATH_TO_DATA_DIR": data,
        "TRAIN.BATCH_SIZE": BATCH,
        "SOLVER.MAX_EPOCH": EPOCHS,
        "TRAIN.CHECKPOINT_STEPS": 2,
        "TRAIN.CHECKPOINT_PERIOD": 1,
        "TRAIN.EVAL_PERIOD": 1,
        "TEST.ENABLE": False,
        "CPU_THREADS": 1,
    }
    del options["OUTPUT_DIR"]
    pairs = [str(word) for pair in options.items() for word in pair]
    return ["--cfg", str(tmp_path / "empty.yaml"), *pairs]


def rendered(name, tmp_path):
    """As `arguments`, of a demonstration that renders its samples."""
    pairs = {
        "DATA.PATH_TO_DATA_DIR": tmp_path / "rendered",
        "SYNTHETIC.NUM_TRAIN": SAMPLES,
        "SYNTHETIC.NUM_VAL": 8,
        "TRAIN.CHECKPOINT_FILE_PATH": "",
        "TRAIN.BATCH_SIZE": BATCH,
        "SOLVER.MAX_EPOCH": EPOCHS,
        "TRAIN.CHECKPOINT_STEPS": 2,
        "TRAIN.CHECKPOINT_PERIOD": 1,
        "TEST.ENABLE": False,
        "TENSORBOARD.ENABLE": False,
        "CPU_THREADS": 1,
        "LOG_PERIOD": 1,
    }
    words = [str(word) for pair in pairs.items() for word in pair]
    return ["--cfg", name, *words]


def to(folder, arguments):
    return [*arguments, "OUTPUT_DIR", str(folder)]


def lines_of(folder):
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def last_step(folder):
    steps = [line["step"] for line in lines_of(folder) if line["split"] == "train_iter"]
    return max(steps, default=0)


def assert_same(one, other, where="state"):
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, where
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}.{number}")
    else:
        assert one == other, where


def final_state(folder):
    state = read_checkpoint(checkpoint_path(folder, EPOCHS))
    assert {"model_state", "optimizer_state", "rng_states"} <= state.keys()
    assert state["optimizer_state"]["state"], "momentum is part of what is compared"
    del state["config"]  # names OUTPUT_DIR
    return state


def assert_same_metrics(never_stopped, stopped):
    kept = {"split", "step", "epoch", "loss", "top1", "lr"}
    tables = [
        [{key: line[key] for key in kept & line.keys()} for line in lines_of(folder)]
        for folder in (never_stopped, stopped)
    ]
    assert tables[0] == tables[1]
    steps = [line["step"] for line in tables[1] if line["split"] == "train_iter"]
    assert steps == list(range(1, EPOCHS * STEPS + 1))


def kill_after_step(run, folder, step, delay):
    """SIGKILL to the whole group `delay` seconds after this start of the run logs the step."""
    path = folder / "metrics.jsonl"
    before = path.stat().st_mtime_ns if path.exists() else 0

    def reached():
        return path.exists() and path.stat().st_mtime_ns > before and last_step(folder) >= step

    run.until(reached)
    time.sleep(delay)
    run.kill()
    assert run.wait() == [-signal.SIGKILL] * len(run.pids), "it ended before it was killed"


# All that has a state or draws random numbers: moments, moving average, mixing, augmentation.
EVERYTHING = {
    "DATA_LOADER.NUM_WORKERS": 1,
    "SOLVER.OPTIMIZING_METHOD": "adamw",
    "SOLVER.BASE_LR": 0.002,
    "SOLVER.CLIP_GRAD_L2NORM": 1.0,
    "TRAIN.EMA_DECAY": 0.9,
    "BN.USE_PRECISE_STATS": True,
    "BN.NUM_BATCHES_PRECISE": 2,
    "AUG.ENABLE": True,
    "MIXUP.ENABLE": True,
}


BY_WORLD_SIZE = pytest.mark.parametrize(
    ("world_size", "more"),
    [(1, EVERYTHING), (2, EVERYTHING | {"DATA_LOADER.NUM_WORKERS": 0})],
    ids=["one process", "two processes"],
)


@BY_WORLD_SIZE
def test_killed_at_five_points(server, arguments, tmp_path, world_size, more):
    kill_at_points(5, server, arguments, tmp_path, world_size, more)


@BY_WORLD_SIZE
def test_pictures_killed_at_two_points(server, tmp_path, world_size, more):
    arguments = rendered("quickstart_image_same_glore", tmp_path)
    kill_at_points(2, server, arguments, tmp_path, world_size, more)


@BY_WORLD_SIZE
def test_scenes_killed_at_two_points(server, tmp_path, world_size, more):
    """With what a segmentation draws and weighs: scales, places and mirror images, hard pixels, dropout."""
    of_pixels = {
        "AUG.AA_TYPE": "''",
        "MIXUP.ENABLE": False,
        "DATA.TRAIN_SCALES": "[0.75, 1.5]",
        "LOSS.OHEM_THRESHOLD": 0.7,
        "LOSS.OHEM_MIN_KEPT": 100,
        "HEAD.DROPOUT": 0.1,
    }
    arguments = rendered("quickstart_scene_glore", tmp_path)
    kill_at_points(2, server, arguments, tmp_path, world_size, more | of_pixels)


def kill_at_points(count, server, arguments, tmp_path, world_size, more):
    arguments = [*arguments, *(str(word) for pair in more.items() for word in pair)]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    server.start(to(whole, arguments), log=tmp_path / "whole.txt", world_size=world_size).finish()
    draws = random.Random(world_size)
    # The first step of the second epoch, so that one start is from the end of an epoch.
    points = {
        STEPS + 1,
        *draws.sample([*range(1, STEPS + 1), *range(STEPS + 3, EPOCHS * STEPS)], count - 1),
    }
    for step in sorted(points):
        run = server.start(
            to(killed, arguments), log=tmp_path / f"{step}.txt", world_size=world_size
        )
        kill_after_step(run, killed, step, delay=draws.uniform(0, 0.03) * (step != STEPS + 1))
    run = server.start(to(killed, arguments), log=tmp_path / "last.txt", world_size=world_size)
    run.finish()
    assert "resuming from" in run.log.read_text()
    assert_same(final_state(whole), final_state(killed))
    assert_same_metrics(whole, killed)


HALF = """
import io, os, signal
import torch

whole, calls = torch.save, []

def half(state, file):
    calls.append(0)
    if len(calls) < {number}:
        return whole(state, file)
    buffer = io.BytesIO()
    whole(state, buffer)
    file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    file.flush()
    os.killpg(0, signal.SIGKILL)

torch.save = half
"""


def test_killed_in_the_middle_of_writing_a_checkpoint(server, arguments, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    server.start(to(whole, arguments), log=tmp_path / "whole.txt").finish()
    for number in (1, 3):  # the first checkpoint of all, and one after two whole ones
        run = server.start(
            to(killed, arguments), log=tmp_path / "log.txt", hook=HALF.format(number=number)
        )
        assert run.wait() == [-signal.SIGKILL]
        (left,) = (killed / "checkpoints").glob("*.tmp")
        assert left.stat().st_size > 1000
    server.start(to(killed, arguments), log=tmp_path / "log.txt").finish()
    assert_same(final_state(whole), final_state(killed))
    assert_same_metrics(whole, killed)
    assert not list((killed / "checkpoints").glob("*.tmp"))


INDICES = """
import json, os
from glore_video.data.samplers import TrainingBatches

batches = TrainingBatches.__iter__

def noted(self):
    for number, batch in enumerate(batches(self), start=self.first):
        with open(os.environ["INDICES"], "a") as file:
            file.write(json.dumps([self.world_size, self.epoch, number, batch]) + "\\n")
        yield batch

TrainingBatches.__iter__ = noted
"""


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_other_number_of_processes_goes_on_at_the_right_sample(
    server, arguments, tmp_path, before, after
):
    folder, noted = tmp_path / "run", tmp_path / "indices.txt"
    options = {"hook": INDICES, "INDICES": str(noted), "log": tmp_path / "log.txt"}
    run = server.start(to(folder, arguments), world_size=before, **options)
    kill_after_step(run, folder, STEPS + 3, delay=0)
    server.start(to(folder, arguments), world_size=after, **options).finish()
    lines = [json.loads(line) for line in noted.read_text().splitlines()]
    assert "goes on at the same video" in (tmp_path / "log.txt").read_text()
    first = min(number for size, epoch, number, _ in lines if size == after)
    assert first in (2, 4)  # where a checkpoint lies
    assert {epoch for size, epoch, _, _ in lines if size == after} == {1}
    used = [
        index
        for size, epoch, number, batch in lines
        if epoch == 1 and (size == after or number < first)
        for _, index in batch
    ]
    assert sorted(used) == list(range(SAMPLES))


def documented(port, arguments):
    """The command of docs/cluster.md for two machines, as both run it, here on the CPU."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    (line,) = re.findall(r"^torchrun --nnodes 2 .*--rdzv-endpoint .*$", text, flags=re.MULTILINE)
    words = line.replace("node0:29400", f"127.0.0.1:{port}").split()
    words[words.index("--nproc-per-node") + 1] = "1"
    words = words[: words.index("--cfg")]
    return [sys.executable, "-m", "torch.distributed.run", *words[1:], *arguments]


def test_two_torchrun_agents_pre_empted(server, arguments, tmp_path):
    """SIGUSR1 to one worker: all save at the same step and end; the next start goes on."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    server.start(to(whole, arguments), log=tmp_path / "whole.txt", world_size=2).finish()
    logs = [tmp_path / f"agent{number}.txt" for number in range(2)]
    port = free_port()
    agents = []
    for log in logs:
        with log.open("w") as output:
            agents.append(
                subprocess.Popen(
                    documented(port, to(stopped, arguments)),
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                )
            )
    deadline = time.monotonic() + 120
    while last_step(stopped) < 3 and all(agent.poll() is None for agent in agents):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    said = "".join(log.read_text() for log in logs)
    (worker,) = re.findall(r"rank 1: .*, process (\d+), cpu", said)
    os.kill(int(worker), signal.SIGUSR1)
    assert all(agent.wait(timeout=60) == 1 for agent in agents)
    said = "".join(log.read_text() for log in logs)
    assert "world size 2, backend gloo" in said
    # The agent that ends first takes the meeting place with it; the other may then kill its worker
    # before that has spoken.
    assert "stopped by SIGUSR1" in said
    assert f"exitcode  : {128 + signal.SIGUSR1}" in said
    assert 3 <= last_step(stopped) < EPOCHS * STEPS
    server.start(to(stopped, arguments), log=tmp_path / "log.txt", world_size=2).finish()
    assert_same(final_state(whole), final_state(stopped))
    assert_same_metrics(whole, stopped)
