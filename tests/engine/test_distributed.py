"""Processes: how they find one another, what they say at the start, how they end together."""

import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
import torch
import torch.distributed as dist

from glore_video.engine.launch import rendezvous
from glore_video.engine.launch.processes import Process, launch, log_processes


@pytest.fixture
def environment(monkeypatch):
    for name in (
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "MASTER_ADDR",
        "MASTER_PORT",
        "TORCHELASTIC_USE_AGENT_STORE",
        "TORCHELASTIC_RESTART_COUNT",
    ):
        monkeypatch.delenv(name, raising=False)

    def put(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return put


@pytest.fixture
def taken_port():
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def taken_store():
    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def nothing(process):
    return 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"RANK": 1, "WORLD_SIZE": "two"}, "WORLD_SIZE = 'two' in the environment is not a whole"),
        ({"RANK": 2, "WORLD_SIZE": 2}, "RANK = 2, but WORLD_SIZE = 2"),
        ({"RANK": 0, "WORLD_SIZE": 2}, "MASTER_ADDR is not: the host name of rank 0 is needed"),
        (
            {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost"},
            "MASTER_PORT = '' in the environment is not a port",
        ),
        (
            {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 70000},
            "MASTER_PORT = '70000'",
        ),
    ],
)
def test_environment_that_is_not_whole(environment, values, message):
    environment(**values)
    with pytest.raises(ValueError, match=message):
        launch(nothing, num_gpus=0)


def test_port_that_is_taken(environment, taken_port):
    environment(RANK=0, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=taken_port)
    with pytest.raises(ValueError, match=f"MASTER_PORT = {taken_port} is taken on .*; set another"):
        launch(nothing, num_gpus=0, timeout=2)


def test_address_where_nobody_is(environment, free_port):
    environment(RANK=1, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port)
    start = time.monotonic()
    with pytest.raises(
        ValueError,
        match=f"rank 1 on .* found nobody at MASTER_ADDR 127.0.0.1, MASTER_PORT {free_port} within 1 s",
    ):
        launch(nothing, num_gpus=0, timeout=1)
    assert time.monotonic() - start < 10


def test_ranks_that_do_not_come_are_named(environment, taken_store):
    port = taken_store.port
    environment(RANK=0, WORLD_SIZE=4, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    environment(TORCHELASTIC_USE_AGENT_STORE="True")
    said = []

    def rank_2_comes():
        with pytest.raises(ValueError, match="did not come") as caught:
            rendezvous._meet("127.0.0.1", port, rank=2, world_size=4, seconds=1.5)
        said.append(str(caught.value))

    other = threading.Thread(target=rank_2_comes)
    other.start()
    with pytest.raises(ValueError, match="rank 1, 3 of 4 did not come to MASTER_ADDR 127.0.0.1"):
        launch(nothing, num_gpus=0, timeout=1.5)
    other.join()
    assert said[0].startswith("rank 1, 3 of 4 did not come")


def test_rank_0_that_does_not_come(environment, taken_store):
    with pytest.raises(ValueError, match="rank 0 of 2 did not come"):
        rendezvous._meet("127.0.0.1", taken_store.port, rank=1, world_size=2, seconds=0.5)


def test_one_store_for_several_starts(taken_store, environment):
    """As torchrun has it when a run is started again: what old starts left there misleads nobody."""
    environment(TORCHELASTIC_USE_AGENT_STORE="True")
    tokens = []
    for late in (0, 1, 0):
        found = {}

        def come(rank, late=late, found=found):
            time.sleep(0.3 * (rank == late))
            found[rank] = rendezvous._meet(
                "127.0.0.1", taken_store.port, rank=rank, world_size=2, seconds=5
            )[1]

        threads = [threading.Thread(target=come, args=(rank,)) for rank in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found[0] == found[1]
        tokens.append(found[0])
    assert len(set(tokens)) == 3


def test_one_process_is_one_line(caplog):
    caplog.set_level("INFO")
    log_processes(Process(0, 1, torch.device("cpu")))
    assert caplog.messages == [
        f"one process on {socket.gethostname()}, cpu, {torch.get_num_threads()} threads"
    ]


class TwoOfThem(Process):
    def gather(self, value):
        return [value, self.other]


@pytest.mark.parametrize(("other", "agrees"), [("epoch 3", True), ("epoch 2", False)])
def test_agree(other, agrees):
    process = TwoOfThem(0, 2, torch.device("cpu"))
    object.__setattr__(process, "other", (other, "b"))
    if agrees:
        process.agree("epoch 3", what="the checkpoint")
    else:
        with pytest.raises(
            ValueError,
            match="the checkpoint differs: epoch 3 for rank 0 on .*, but epoch 2 for rank 1 on b",
        ):
            process.agree("epoch 3", what="the checkpoint")


SPAWNED = """
import os, sys, time
import torch
from glore_video.engine.launch.processes import launch, log_processes
from glore_video.processes.stop_signals import StopSignals
from glore_video.engine.run_log import setup_logging

def main(process):
    setup_logging(None, is_main=process.is_main)
    log_processes(process)
    total = process.sum(torch.tensor([2.0 ** process.rank])).item()
    print(f"{process.gather(process.rank)} {total}\\n", end="", flush=True)
    if sys.argv[1] == "fails":
        with StopSignals():
            if process.rank == 1:
                print(f"failed at {time.time()}\\n", end="", flush=True)
                return 7
            time.sleep(600)
    return 0

if __name__ == "__main__":
    status = launch(main, num_gpus=0, cpu_processes=2)
    print("ended at", time.time())
    assert "MASTER_PORT" not in os.environ
    sys.exit(status)
"""


def spawned(tmp_path, way):
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    return subprocess.run(
        [sys.executable, str(script), way],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_spawned_processes_say_who_they_are(tmp_path):
    done = spawned(tmp_path, "works")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[0, 1] 3.0\n") == 2
    lines = [line.split(" I ")[1] for line in done.stderr.splitlines() if " I " in line]
    assert lines[0] == "world size 2, backend gloo"
    assert [line.split(", ")[0] for line in lines[1:]] == [
        f"rank {rank}: {socket.gethostname()}" for rank in (0, 1)
    ]
    assert lines[1].endswith(", cpu, 1 threads")


@pytest.mark.slow
def test_a_process_that_hangs_ends_with_the_one_that_failed(tmp_path):
    """It has noted SIGTERM, as training does, and sleeps on: it must be killed."""
    done = spawned(tmp_path, "fails")
    assert done.returncode == 7, done.stderr
    failed, ended = (
        float(re.search(rf"{what} at ([\d.]+)", done.stdout)[1]) for what in ("failed", "ended")
    )
    assert 1.5 < ended - failed < 10  # torch's own patience is 30 s
