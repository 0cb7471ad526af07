"""Who is said to hold a run up, and when."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from torch.distributed import HashStore

from glore_video.engine.launch.activity import Activity, Report, furthest_behind
from glore_video.engine.launch.failures import Failures
from glore_video.engine.launch.heartbeat import Heartbeat
from glore_video.engine.launch.processes import Process
from glore_video.processes import records, waiting_times


def report(rank, what="backward", step=5, phase=1, waits=False, seconds=100.0, since=1000.0):
    return Report(rank, f"node{rank}", what, step, phase, waits, seconds, since)


@pytest.mark.parametrize(
    ("reports", "silent", "behind"),
    [
        # The clock of its machine goes wrong: the step counts.
        ([report(0), report(1, step=4, since=9000.0), report(2)], {}, 1),
        # Same step: who has begun fewer things in it.
        ([report(0, phase=2), report(1, phase=2), report(2, phase=1, since=9000.0)], {}, 2),
        # All the same: who has been longest at it.
        ([report(0), report(1), report(2, since=999.0)], {}, 2),
        # One that says that it waits is not the one.
        ([report(0, waits=True, step=4), report(1)], {}, 1),
        ([report(0, waits=True), report(1, waits=True, phase=0)], {}, 1),
        # One that is not heard from is.
        ([report(0, step=4), report(1), report(2)], {2: 30.0, 1: 20.0}, 2),
    ],
)
def test_furthest_behind(reports, silent, behind):
    assert furthest_behind({one.rank: one for one in reports}, silent) == behind


def test_process_notes_what_it_does():
    process = Process(1, 2, torch.device("cpu"))

    def now():
        one = process.activity.report(1, "node")
        return one.what, one.step, one.phase, one.waits

    assert now() == ("starting", 0, 0, False)
    process.doing("reading data", step=7)
    assert now() == ("reading data", 7, 0, False)
    process.doing("forward")
    assert now() == ("forward", 7, 1, False)
    with process.activity.waiting():
        assert now() == ("forward", 7, 1, True)
    assert now() == ("forward", 7, 1, False)
    process.doing("reading data", step=8)
    assert now() == ("reading data", 8, 0, False)
    assert 0 <= process.activity.seconds() < 5


class Run:
    """Heartbeats of several processes in one, with a store between them."""

    def __init__(self, world_size, timeout=0.2):
        self.store = HashStore()
        self.activities = [Activity() for _ in range(world_size)]
        self.ended = {}
        self.beats = []
        for rank, activity in enumerate(self.activities):
            self.beats.append(
                Heartbeat(
                    activity,
                    lambda: self.store,
                    rank=rank,
                    world_size=world_size,
                    host=f"node{rank}",
                    timeout=timeout,
                    interval=0.02,
                    end=lambda status, rank=rank: self.note(rank, status),
                )
            )
            self.beats[-1].start()

    def note(self, rank, status):
        self.ended[rank] = status

    def wait_for(self, number, seconds=5.0):
        deadline = time.monotonic() + seconds
        while len(self.ended) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.ended) >= number, "no process gave up"

    def stop(self):
        for beat in self.beats:
            beat.stop()


@pytest.fixture
def run():
    runs = []

    def start(*arguments, **options):
        runs.append(Run(*arguments, **options))
        return runs[0]

    yield start
    for one in runs:
        one.stop()


def test_the_waiting_name_the_one_that_hangs(run, caplog):
    three = run(3)
    for rank, activity in enumerate(three.activities):
        activity.set("reading data", 12)
        if rank != 1:
            activity.set("forward and backward")
    three.wait_for(3)
    assert three.ended == {0: 1, 1: 1, 2: 1}
    for rank in (0, 2):
        (line,) = [text for text in caplog.messages if f"this is rank {rank} on" in text]
        assert "waiting for rank 1 of 3 on node1, which for 0 s has done nothing but: " in line
        assert "reading data at step 12 (this is rank " in line
        assert f"this is rank {rank} on node{rank}: forward and backward at step 12)" in line
        assert "DIST_TIMEOUT = 0.2 s" in line
    # It waits until another one has spoken.
    assert "waiting for rank 1" in caplog.messages[0]
    assert "this is rank 1 of 3 on node1, reading data at step 12; the" in caplog.text


def test_the_one_that_hangs_does_not_blame_those_that_gave_up(run, caplog):
    two = run(2)
    two.beats[1]._timeout = 0.9  # it looks when the other is silent already
    for activity in two.activities:
        activity.set("reading data", 12)
    two.activities[0].set("forward")
    two.wait_for(2)
    assert "waiting for rank 1" in caplog.messages[0]
    assert "this is rank 1 of 2 on node1, reading data at step 12; the" in caplog.messages[1]


def without_numbers(line):
    line = re.sub(r"rank \d+ (of \d+ )?on \w+", "rank R", line)
    return re.sub(r"(\d+ min )?[\d.]+ s\b|step \d+", "N", line)


def test_the_line_is_the_one_of_the_documentation(run, caplog):
    text = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    (documented,) = re.findall(r"^no progress for .*$", text, flags=re.MULTILINE)
    two = run(2)
    for activity in two.activities:
        activity.set("reading data", 12)
    two.activities[1].set("forward and backward")
    two.wait_for(1)
    assert without_numbers(caplog.messages[0]) == without_numbers(documented)


def test_a_slow_process_that_moves_is_waited_for(run, caplog):
    two = run(2)
    stop = time.monotonic() + 1.0
    with two.activities[0].waiting():
        while time.monotonic() < stop:
            two.activities[1].set("validation")
            time.sleep(0.02)
        assert two.ended == {}
    assert "waiting for rank 1 of 2 on node1, which moves: validation" in caplog.messages[0]
    assert caplog.records[0].levelname == "WARNING"


def test_a_process_that_is_not_heard_from(run, caplog):
    two = run(2)
    two.activities[1].set("saving a checkpoint", 3)
    time.sleep(0.1)
    two.beats[1]._stopped.set()  # as if it were frozen: no farewell is published
    two.beats[1]._thread.join()
    two.store.set("1", json.dumps([0, vars(report(1, "saving a checkpoint", step=3, seconds=0.0))]))
    with two.activities[0].waiting():
        two.wait_for(1)
    assert two.ended == {0: 1}
    assert "waiting for rank 1 of 2 on node1; its last sign of life came 0 s ago" in caplog.text
    assert "when it did: saving a checkpoint at step 3" in caplog.text


def test_a_process_alone_after_the_others_have_finished(run):
    two = run(2)
    two.activities[1].end(0)
    two.beats[1].stop()
    time.sleep(0.8)
    assert two.ended == {}


def test_a_process_that_ended_with_an_error(run, caplog):
    two = run(2)
    two.activities[1].end(2)
    two.beats[1].stop()
    with two.activities[0].waiting():
        two.wait_for(1)
    assert "waiting for rank 1 of 2 on node1; its last sign of life came" in caplog.text
    assert "when it did: ending with status 2" in caplog.text


def test_a_store_that_is_gone(run, caplog, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "node7")

    def refused():
        raise RuntimeError("connection refused")

    ended = []
    beat = Heartbeat(
        Activity(), refused, rank=1, world_size=2, host="b", timeout=0.1, end=ended.append
    )
    beat.start()
    for _ in range(300):
        if ended:
            break
        time.sleep(0.01)
    beat.stop()
    assert ended[0] == 1
    assert "the machine of rank 0 (node7) does not answer" in caplog.text


def test_one_line_a_machine(run, caplog):
    three = run(3)
    for beat in three.beats:
        beat._host = "node"
    for rank, activity in enumerate(three.activities):
        activity.set("reading data", 12 if rank else 11)
    three.wait_for(3)
    assert len(caplog.messages) == 1


def test_a_process_that_waits_ends_after_another_has_failed(run, caplog, monkeypatch):
    """Whatever it is waiting for, long before the time-out; each machine has it said once."""
    monkeypatch.setattr(waiting_times, "LEAVE", 0.1)
    three = run(3, timeout=60)
    for beat in three.beats:
        beat._host = "node"
    assert Failures(three.store, 1, "node").tell("TypeError: strange")
    three.wait_for(3)
    assert three.ended == {0: 1, 1: 1, 2: 1}
    assert caplog.messages == []  # all of them are on the machine of the one that has spoken


def test_a_process_on_another_machine_says_who_has_failed(run, caplog, monkeypatch):
    monkeypatch.setattr(waiting_times, "LEAVE", 0.1)
    two = run(2, timeout=60)
    for beat in two.beats:
        beat._host = "node9"
    two.store.set("failed", json.dumps("rank 1 on node1 has failed: TypeError: strange"))
    two.wait_for(2)
    assert caplog.messages == ["rank 1 on node1 has failed: TypeError: strange; this run ends here"]


def test_error_of_a_reading_worker_ends_a_process_that_waits(run, monkeypatch, capsys):
    monkeypatch.setattr(waiting_times, "LEAVE", 0.1)
    one = run(1, timeout=60)
    folder = records.open_records()
    assert records.leave(records.Record.of(TypeError("strange"), "reading worker 3"))
    one.wait_for(1)
    assert not folder.exists()
    assert one.ended == {0: 1}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: TypeError: strange (reading worker 3)")
    assert "has failed: TypeError: strange" in Failures(one.store, 0).first()


def test_a_process_that_ends_by_itself_is_left_to(run, monkeypatch):
    monkeypatch.setattr(waiting_times, "LEAVE", 60.0)
    two = run(2, timeout=60)
    assert Failures(two.store, 1).tell("TypeError: strange")
    time.sleep(0.3)
    two.stop()
    assert two.ended == {}


TWO_PROCESSES = """
import os, sys, time
import torch
from glore_video.engine.launch.processes import launch
from glore_video.engine.run_log import setup_logging

def main(process):
    setup_logging(None, is_main=process.is_main)
    values = torch.zeros(1)
    for step in range(1, 4):
        process.doing("reading data", step=step)
        if process.rank == int(sys.argv[1]) and step == 3:
            if sys.argv[2] == "dies":
                os._exit(9)
            time.sleep(600)
        process.doing("backward")
        torch.distributed.all_reduce(values)
    return 0

store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"}
os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True"}
children = []
for rank in range(2):
    pid = os.fork()
    if not pid:
        os.environ["RANK"] = str(rank)
        os._exit(launch(main, num_gpus=0, timeout=2.0))
    children.append(pid)
for pid in children:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def two_processes(*arguments):
    return subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("asleep", [0, 1])
def test_two_real_processes_one_of_which_sleeps(asleep):
    done = two_processes(asleep, "sleeps")
    assert done.stdout.split() == ["1", "1"]
    (line,) = [line for line in done.stderr.splitlines() if "no progress" in line]
    assert f"waiting for rank {asleep} of 2 on " in line
    assert "reading data at step 3" in line
    assert f"this is rank {1 - asleep} on " in line
    assert "backward at step 3" in line


@pytest.mark.slow
def test_two_real_processes_one_of_which_dies():
    """There is no launcher here to end the other: it finds out by itself, and says so in a line."""
    done = two_processes(1, "dies")
    assert done.stdout.split() == ["1", "9"]
    assert "has lost another process" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_thread_for_one_process():
    from glore_video.engine.launch.processes import launch

    names = []

    def main(process):
        names.extend(thread.name for thread in threading.enumerate())
        return 0

    assert launch(main, num_gpus=0, timeout=1.0) == 0
    assert "heartbeat" not in names
