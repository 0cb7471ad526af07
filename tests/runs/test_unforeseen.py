"""Errors that nobody foresaw, in whole runs of the command line: one line, status 1, nothing left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forked_runs import ROOT, shared_server

# What is done at the first step, or to the video 5.mp4 in the given way of reading it; 4.mp4 hangs
# the worker that reads the batch before. The time goes to a file.
HOOK = """
import os, signal, time
from glore_video.tasks.video_classification import dataset as video_dataset
from glore_video.engine import trainer
from glore_video.errors import UsageError

ACTIONS = {{
    "raise": lambda: {{}}.get([]),
    "unpack": lambda: [first for first, second in [range(3)]],
    "busy": lambda: exec('raise BlockingIOError(11, "Resource temporarily unavailable")'),
    "usage": lambda: exec('raise UsageError("--x 3: too large")', {{"UsageError": UsageError}}),
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
}}

def fault():
    with open({noted!r}, "a") as file:
        file.write(f"{{time.time()}}\\n")
    ACTIONS[{action!r}]()

where, method = {where!r}.split(".")
kind = getattr(trainer if where == "Trainer" else video_dataset, where)
real = getattr(kind, method)

def faulty(self, *key):
    if where == "Trainer":
        if self.process.rank in {ranks}:
            fault()
    else:
        number = key[0][1] if method == "__getitem__" else key[-2] if len(key) == 3 else key[0]
        if number == 4 and {hangs}:
            time.sleep(3600)
        if number == 5:
            fault()
    return real(self, *key)

setattr(kind, method, faulty)
"""


@pytest.fixture
def arguments(options, tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    options |= {"SOLVER.MAX_EPOCH": 1, "DATA_LOADER.NUM_WORKERS": 2, "TRAIN.BATCH_SIZE": 4}
    pairs = [str(word) for pair in options.items() for word in pair]
    return ["--cfg", str(tmp_path / "empty.yaml"), *pairs]


@pytest.fixture
def hook(tmp_path):
    def make(where, action, *, hangs=False, ranks=(0,)):
        noted = str(tmp_path / "noted")
        return HOOK.format(noted=noted, where=where, action=action, hangs=hangs, ranks=ranks)

    return make


def seconds_since_fault(tmp_path):
    return time.time() - float((tmp_path / "noted").read_text().split()[0])


def running_in_group(group):
    """Processes of the group that are no zombies."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, _, its_group = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
            except OSError:
                continue
            if int(its_group) == group and state != "Z":
                pids.append(int(entry.name))
    return pids


def assert_nothing_left(group):
    """Of a group of processes; what was killed or told to end may take a moment."""
    end = time.monotonic() + 3
    while running_in_group(group) and time.monotonic() < end:
        time.sleep(0.05)
    left = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running_in_group(group)}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def error_line(said):
    """The one line that is not of the log."""
    lines = [line for line in said.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert len(lines) == 1, said
    return lines[0]


def forked_run(arguments, hook, log):
    """tools/run_net.py in a process that need not import torch: its exit status."""
    run = shared_server().start(arguments, log=log, hook=hook)
    (status,) = run.wait()
    assert_nothing_left(run.pids[0])
    return status


@pytest.mark.parametrize(
    ("where", "more", "who"),
    [
        ("TrainingClips.inputs", {"hangs": True}, r"; reading worker [01]; .*/clips/5\.mp4"),
        pytest.param(
            *("CentreClips.input", {}, r"; reading worker [01]; .*/clips/5\.mp4"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("EvalViews.views_of", {}, r"; reading worker [01]; .*/clips/5\.mp4"),
            marks=pytest.mark.slow,
        ),
        ("Trainer._step", {}, ""),
    ],
    ids=["training", "validation", "test", "main process"],
)
def test_error_anywhere_is_one_line(arguments, hook, tmp_path, where, more, who):
    log = tmp_path / "said.txt"
    status = forked_run(arguments, hook(where, "raise", **more), log)
    assert seconds_since_fault(tmp_path) < 10
    assert status == 1
    line = error_line(log.read_text())
    kept = tmp_path / "öut put" / "log.txt"
    assert re.fullmatch(
        rf"error: TypeError: unhashable type: 'list' \(.+:\d+ in \S+{who}\); "
        rf"its traceback is in {re.escape(str(kept))}",
        line,
    ), line
    text = kept.read_text()
    assert "Traceback (most recent call last)" in text
    assert "in faulty" in text


@pytest.mark.parametrize("where", ["TrainingClips.inputs", "Trainer._step"], ids=["worker", "main"])
@pytest.mark.parametrize(
    ("action", "status", "said"),
    [
        ("unpack", 1, r"error: ValueError: too many values to unpack \(expected 2.*\.txt"),
        (
            "busy",
            1,
            r"error: BlockingIOError: \[Errno 11\] Resource temporarily unavailable \(.*\.txt",
        ),
        ("usage", 2, r"error: --x 3: too large"),
    ],
    ids=["unpacking", "errno 11", "the user's"],
)
def test_pythons_own_value_error_is_not_the_users(
    arguments, hook, tmp_path, where, action, status, said
):
    log = tmp_path / "said.txt"
    assert forked_run(arguments, hook(where, action), log) == status
    line = error_line(log.read_text())
    assert re.fullmatch(said, line), line
    assert "in faulty" in (tmp_path / "öut put" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("action", "said"),
    [("exit", "ended with exit status 3 and did not say why"), ("kill", "was killed by a signal")],
)
def test_reading_worker_that_dies_is_one_line(arguments, hook, tmp_path, action, said):
    log = tmp_path / "said.txt"
    status = forked_run(arguments, hook("TrainingClips.__getitem__", action), log)
    assert seconds_since_fault(tmp_path) < 10
    assert status == 1
    assert re.match(r"error: a reading worker \(process \d+\) " + said, error_line(log.read_text()))


@pytest.mark.parametrize("action", ["exit", "kill"])
def test_death_of_the_process_that_decodes_costs_one_video(arguments, hook, tmp_path, action):
    log = tmp_path / "said.txt"
    status = forked_run(arguments, hook("EvalViews.views_of", action), log)
    assert status == 0, log.read_text()
    summary = json.loads((tmp_path / "öut put" / "test" / "summary.json").read_text())
    assert summary["videos_scored"] == 7
    assert "its decoder crashed" in summary["failed"][0]["reason"]


# For processes that are started anew: patches as soon as the module it concerns is there.
LATE = """
import os, sys
import importlib.abc, importlib.machinery

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "glore_video.cli.main":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            exec(open(os.environ["FAULT"]).read(), {})

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def real_run(arguments, hook, tmp_path, launcher=()):
    """tools/run_net.py and its descendants, each started anew: status, seconds since the fault, stderr."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(LATE)
    (tmp_path / "fault.py").write_text(hook)
    process = subprocess.Popen(
        [sys.executable, *launcher, str(ROOT / "tools" / "run_net.py"), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ
        | {
            "FAULT": str(tmp_path / "fault.py"),
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)]),
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
        },
    )
    said = process.communicate(timeout=280)[1]
    seconds = seconds_since_fault(tmp_path)
    assert_nothing_left(process.pid)
    return process.returncode, seconds, said


# Idle machines need 3 to 6 seconds.
LIMIT_OF_SEVERAL = 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "action", "ranks", "line"),
    [
        (
            "TrainingClips.inputs",
            "raise",
            (),
            r"TypeError: unhashable .*reading worker \d; .*5\.mp4",
        ),
        ("Trainer._step", "raise", (1,), r"TypeError: unhashable .*\.py:\d+ in "),
        ("Trainer._step", "raise", (0, 1), r"TypeError: unhashable .*\.py:\d+ in "),
        ("Trainer._step", "unpack", (1,), r"ValueError: too many values .*\.py:\d+ in "),
        (
            "Trainer._step",
            "kill",
            (1,),
            r"rank 1 \(process \d+\) was killed by SIGKILL: where the ",
        ),
        (
            "Trainer._step",
            "exit",
            (1,),
            r"rank 1 \(process \d+\) ended with exit status 3 and did ",
        ),
    ],
    ids=["worker", "rank 1", "all ranks", "unpacking", "killed rank", "rank that exits"],
)
def test_spawned_processes_end_together(arguments, hook, tmp_path, where, action, ranks, line):
    status, seconds, said = real_run(
        [*arguments, "CPU_PROCESSES", "2"], hook(where, action, ranks=ranks), tmp_path
    )
    assert seconds < LIMIT_OF_SEVERAL
    assert status == 1
    errors = [each for each in said.splitlines() if each.startswith("error: ")]
    assert len(errors) == 1, said
    assert re.match("error: " + line, errors[0])
    assert "Traceback" not in said
    if action in ("raise", "unpack"):
        assert "in faulty" in (tmp_path / "öut put" / "log.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [(1,), (0, 1)], ids=["rank 1", "all ranks"])
def test_processes_of_torchrun_end_together(arguments, hook, tmp_path, ranks):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    status, seconds, said = real_run(
        arguments, hook("Trainer._step", "raise", ranks=ranks), tmp_path, launcher
    )
    assert seconds < LIMIT_OF_SEVERAL
    assert status == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith("error: TypeError: unhashable type: 'list' (")
    assert "[rank" not in said, "a traceback of a process of ours"
    assert "in faulty" in (tmp_path / "öut put" / "log.txt").read_text()


@pytest.mark.slow
def test_one_process_started_anew(arguments, hook, tmp_path):
    status, seconds, said = real_run(
        arguments, hook("TrainingClips.inputs", "raise", hangs=True), tmp_path
    )
    assert seconds < 10
    assert status == 1
    assert error_line(said).startswith("error: TypeError: unhashable type: 'list' (")
