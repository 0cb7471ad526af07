"""How a command ends: what it says, where the traceback is, what becomes of its processes."""

import json
import logging
import multiprocessing
import os
import re
import signal
import tempfile
import time
from pathlib import Path

import pytest
import torch
from torch.distributed import HashStore

from glore_video.cli.guarding import guarded
from glore_video.engine.launch.failures import Failures
from glore_video.engine.launch.processes import Process
from glore_video.engine.run_log import setup_logging
from glore_video.errors import UsageError
from glore_video.processes.ending import end_children
from glore_video.processes.records import Record
from glore_video.processes.torch_words import is_lost_connection
from glore_video.video import VideoError


@pytest.fixture(autouse=True)
def no_log():
    logger = logging.getLogger("glore_video")
    before = logger.handlers[:]
    logger.handlers.clear()
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = before


@pytest.fixture(autouse=True)
def traceback_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def fail():
    raise LookupError("nothing there\n\nsecond line")


def test_without_a_log_the_traceback_has_a_file_of_its_own(capsys):
    assert guarded(fail) == 1
    (line,) = capsys.readouterr().err.splitlines()
    found = re.fullmatch(
        r"error: LookupError: nothing there \(.*test_ending\.py:\d+ in fail\); "
        r"its traceback is in (.*\.txt)",
        line,
    )
    file = Path(found[1])
    assert "second line" in file.read_text()
    assert "in fail" in file.read_text()


@pytest.mark.parametrize("is_main", [True, False])
def test_with_a_log_the_traceback_is_there(tmp_path, capsys, is_main):
    """Also that of another process than the main one, which writes nothing else there."""
    setup_logging(tmp_path, is_main=is_main)
    logging.getLogger("glore_video").info("training")
    assert (tmp_path / "log.txt").exists() == is_main
    assert guarded(fail) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(f"; its traceback is in {tmp_path / 'log.txt'}")
    text = (tmp_path / "log.txt").read_text()
    assert "stopped by an error that was not foreseen: LookupError: nothing there (" in text
    assert "in fail" in text
    assert ("training" in text) == is_main


def test_only_the_first_to_fail_speaks(tmp_path, capsys):
    store = HashStore()
    processes = [
        Process(rank, 3, torch.device("cpu"), failures=Failures(store, rank)) for rank in range(3)
    ]
    assert processes[0].failures.first() == ""
    setup_logging(tmp_path, is_main=False)
    assert [guarded(fail, tell=processes[rank].fails) for rank in (1, 0, 2)] == [1, 1, 1]
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "log.txt").read_text().count("not foreseen") == 3
    assert re.match(
        r"rank 1 on .* has failed: LookupError: nothing there \(", processes[2].failures.first()
    )
    assert not processes[0].failures.speaks_here()


UNFORESEEN = {
    "zip": lambda: list(zip([1], [1, 2], strict=True)),
    "unpacking": lambda: [one for one, two in [range(3)]],
    "int": lambda: int("x"),
    "float": lambda: float("1,5"),
    "decoding": lambda: b"\xff".decode(),
    "json": lambda: json.loads("{"),
    "errno 11": lambda: exec('raise BlockingIOError(11, "Resource temporarily unavailable")'),
    "os without a file": lambda: os.kill(os.getpid(), -5),
    "lookup": lambda: {}["x"],
}


@pytest.mark.parametrize("kind", UNFORESEEN)
def test_what_python_raises_itself_is_not_the_users(tmp_path, capsys, kind):
    setup_logging(tmp_path, is_main=True)
    assert guarded(UNFORESEEN[kind]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    with pytest.raises((ValueError, OSError, LookupError)) as caught:
        UNFORESEEN[kind]()
    assert line.startswith(f"error: {caught.type.__name__}: ")
    assert re.search(rf"\(\S+:\d+ in .*\); its traceback is in {tmp_path / 'log.txt'}$", line)
    assert "Traceback (most recent call last)" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UsageError("--x 3: too large"), 2, "error: --x 3: too large\n"),
        (VideoError("/gloomy.mp4", "no frames"), 2, "error: /gloomy.mp4: no frames\n"),
        (
            FileNotFoundError(2, "No such file or directory", "list.csv"),
            2,
            "error: [Errno 2] No such file or directory: 'list.csv'\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
    ids=["user", "video", "file", "Ctrl-C"],
)
def test_what_a_user_causes_stays_as_it_is(capsys, error, status, said):
    def action():
        raise error

    assert guarded(action) == status
    assert capsys.readouterr().err == said


def test_lost_connections_are_only_those_of_a_group():
    assert not is_lost_connection(VideoError("/gloomy.mp4", "no frames"))
    assert not is_lost_connection(RuntimeError("gloo"))  # there is no group
    assert is_lost_connection(torch.distributed.DistBackendError("NCCL error"))


def sleep_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def test_processes_that_hang_are_ended(capsys):
    context = multiprocessing.get_context("fork")
    hanging = [
        context.Process(target=target, args=args)
        for target, args in (
            (sleep_deaf, ()),
            (time.sleep, (600,)),
        )
    ]
    for process in hanging:
        process.start()
    time.sleep(0.2)
    before = signal.getsignal(signal.SIGCHLD)
    start = time.monotonic()
    end_children(0.3)
    assert time.monotonic() - start < 5
    assert sorted(process.exitcode for process in hanging) == [-signal.SIGTERM, -signal.SIGKILL]
    assert signal.getsignal(signal.SIGCHLD) == before


def test_line_without_a_message():
    assert str(Record.of(AssertionError())) == "AssertionError"


@pytest.mark.parametrize("error", [ValueError("strange"), UsageError("--x 3")], ids=["1", "2"])
def test_no_process_outlives_a_failed_command(capsys, error):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()

    def action():
        raise error

    assert guarded(action) == (2 if isinstance(error, UsageError) else 1)
    assert child.exitcode == -signal.SIGTERM
