"""Errors of reading workers: raised at once, as they were, with place and video."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from glore_video.data import loader as loader_module
from glore_video.data import reading_workers
from glore_video.data.batches import SampleItem
from glore_video.data.loader import samples_loader, views_loader
from glore_video.data.watchdog import Watchdog
from glore_video.errors import UsageError
from glore_video.processes.messages import pack_error, unpack_error
from glore_video.processes.records import (
    Record,
    RemoteError,
    behind,
    leave,
    note_sample,
    take,
    waiting,
)

pytestmark = pytest.mark.usefixtures("no_workers_left")


class Clips(Dataset):
    """Item 0 may hang, and item 1 does what is asked for."""

    watchdog = None

    def __init__(self, action, *, first_hangs=True):
        self.action = action
        self.first_hangs = first_hangs

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 0 and self.first_hangs:
            time.sleep(3600)
        if index == 1:
            self.action()
        return SampleItem(torch.zeros(1, 3, 1, 2, 2, dtype=torch.uint8), 0, index)


def fail():
    error = TypeError("strange object\nand more of it")
    note_sample(error, "/data/odd.mp4")
    raise error


def clips_of(dataset):
    return samples_loader(dataset, num_workers=2, pin_memory=False, sampler=range(4), batch_size=1)


@pytest.mark.parametrize("load", [clips_of, lambda clips: views_loader(clips, num_workers=2)])
def test_error_of_a_worker_does_not_wait_for_one_that_hangs(load):
    start = time.monotonic()
    with pytest.raises(RemoteError, match="strange object") as caught:
        list(load(Clips(fail)))
    assert time.monotonic() - start < 10
    assert Record.of(caught.value).what == "TypeError: strange object"
    assert Record.of(caught.value).sample == "/data/odd.mp4"
    assert Record.of(caught.value).who == "reading worker 1"
    assert "in fail" in Record.of(caught.value).place


def test_error_outside_of_a_worker_is_itself():
    with pytest.raises(TypeError) as caught:
        Clips(fail)[1]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            r"^a reading worker \(process \d+\) was killed by a signal \(Killed\): where the "
            "machine ran out of memory .*, use fewer workers",
        ),
        (lambda: os._exit(3), r"\(process \d+\) ended with exit status 3 and did not say why$"),
    ],
    ids=["SIGKILL", "exit"],
)
def test_worker_that_dies(action, message):
    start = time.monotonic()
    with pytest.raises(RemoteError, match=message):
        list(clips_of(Clips(action)))
    assert time.monotonic() - start < 10


def test_worker_that_stands_still(monkeypatch):
    monkeypatch.setattr(loader_module, "_patience", lambda dataset, videos: 0.5)
    with pytest.raises(RemoteError, match=r"no reading worker has given anything for 0\.5 s"):
        list(clips_of(Clips(lambda: os.kill(os.getpid(), signal.SIGSTOP), first_hangs=False)))


def test_patience_is_longer_than_the_watchdogs_of_a_batch():
    clips = Clips(fail)
    assert loader_module._patience(clips, 8) == 0
    clips.watchdog = Watchdog(30)
    assert loader_module._patience(clips, 8) == 60 + 9 * 30


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


class LongError(Exception):
    """Larger than a pipe."""


@pytest.mark.parametrize(
    ("error", "kind", "what"),
    [
        (KeyError("a"), KeyError, "KeyError: 'a'"),
        (LongError("x" * 200_000), RuntimeError, "LongError: " + "x" * 489),
        (SystemExit(3), RuntimeError, "SystemExit: 3"),
        (ValueError(), ValueError, "ValueError"),
    ],
    ids=["plain", "long", "no Exception", "no message"],
)
def test_sent_errors(error, kind, what):
    data = pack_error(raised(error))
    assert len(data) < 65536, "it would wait for somebody to read it"
    found = unpack_error(data, "worker 7")
    assert type(found) is kind
    assert Record.of(found).what == what
    assert Record.of(found).place.endswith(" in raised")
    assert Record.of(found).who == "worker 7"


def test_place_is_the_innermost_of_ours():
    with pytest.raises(ValueError, match="time limit") as caught:
        Watchdog(0)
    assert Record.of(caught.value).place.startswith("glore_video/data/watchdog.py:")
    with pytest.raises(TypeError) as caught:
        torch.zeros(3).view("x")
    assert "test_records.py:" in Record.of(caught.value).place


class Plain(Clips):
    def __getitem__(self, index):
        if index == 0:
            raise KeyError("odd")
        return super().__getitem__(index)


def test_a_data_set_needs_no_line_of_its_own():
    with pytest.raises(RemoteError) as caught:
        list(clips_of(Plain(lambda: None)))
    record = Record.of(caught.value)
    assert record.what == "KeyError: 'odd'"
    assert "test_records.py" in record.place
    assert record.who == "reading worker 0"
    assert record.sample == "item 0"
    assert "in __getitem__" in record.trace


def test_items_that_make_no_batch_end_the_worker_too(monkeypatch):
    def stack(items, *, interleaved):
        raise ArithmeticError("odd batch")

    monkeypatch.setattr(loader_module, "collate", stack)
    with pytest.raises(RemoteError, match="^ArithmeticError: odd batch") as caught:
        list(clips_of(Clips(lambda: None, first_hangs=False)))
    assert "in stack" in Record.of(caught.value).place


def test_where_a_record_can_not_be_written_torch_carries_the_error(monkeypatch):
    monkeypatch.setattr(reading_workers, "leave", lambda record: False)
    with pytest.raises(KeyError) as caught:
        list(clips_of(Plain(lambda: None)))
    assert Record.of(caught.value).what == "KeyError: 'odd'"


def test_a_record_is_found_by_all_who_look_and_taken_once():
    assert waiting() is None
    left = Record("TypeError: strange", "a.py:3 in f", "worker 0", "b.mp4", "trace")
    assert leave(left)
    assert waiting() == waiting() == left
    assert take(os.getpid()) == left
    assert take(os.getpid()) is None
    assert waiting() is None


def test_the_folder_is_private_and_goes_with_its_process():
    script = (
        "import os\n"
        "from glore_video.processes.records import Record, leave, open_records, take, waiting\n"
        "assert not leave(Record('x'))\n"
        "assert take(3) is waiting() is None\n"
        "folder = open_records()\n"
        "assert folder.stat().st_mode & 0o777 == 0o700\n"
        "if not os.fork():\n"
        "    assert open_records() == folder and leave(Record('TypeError: x'))\n"
        "    raise SystemExit\n"
        "os.wait()\n"
        "assert waiting().what == 'TypeError: x'\n"
        "print(folder)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_who_has_said_it_itself_is_not_waited_for():
    assert leave(Record())
    assert waiting() is None
    assert take(os.getpid()) == Record()


def test_an_error_of_the_user_stays_one_of_the_user():
    found = Record.of(raised(UsageError("--x 3: too large")), "worker 7").error()
    assert isinstance(found, UsageError)
    assert str(found) == str(Record.of(found)) == "--x 3: too large"
    assert "in raised" in Record.of(found).trace


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...",
            "a reading worker (process 7) found no shared memory: enlarge /dev/shm",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Segmentation fault. ",
            "a reading worker (process 7) was killed by a signal (Segmentation fault)",
        ),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "(process 7, 8) ended and did not"),
    ],
)
def test_words_of_torch_for_a_death(text, shown):
    assert shown in str(behind(RuntimeError(text)))


def test_other_errors_have_nothing_behind_them():
    for error in (RuntimeError("DataLoader of another kind"), ValueError("x")):
        assert behind(error) is error
    record = Record("TypeError: x", "a.py:3 in f", "worker 0", trace="trace")
    assert str(RemoteError(record)) == "TypeError: x\n\ntrace"
