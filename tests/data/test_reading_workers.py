"""Worker processes of a loader: signals that are not theirs, batches that can't be sent, their end."""

import errno
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time

import pytest
import torch
from torch.utils.data import Dataset

from glore_video.data.batches import SampleItem
from glore_video.data.loader import samples_loader
from glore_video.data.reading_workers import in_words
from glore_video.errors import UsageError
from glore_video.processes.records import Record
from glore_video.processes.stop_signals import STOP_SIGNALS, ignore_stop_signals

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only"),
    pytest.mark.usefixtures("no_workers_left"),
]


class Clips(Dataset):
    watchdog = None

    def __init__(self, action=lambda: None, side=2):
        self.action = action
        self.side = side

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.action()
        return SampleItem(torch.zeros(1, 3, 1, self.side, 2, dtype=torch.uint8), 0, index)


def batches_of(dataset):
    return samples_loader(dataset, num_workers=2, pin_memory=False, sampler=range(4), batch_size=1)


def test_signals_to_all_processes_leave_the_workers_reading():
    loader = iter(batches_of(Clips(lambda: time.sleep(0.05))))
    next(loader)
    for child in multiprocessing.active_children():
        for number in STOP_SIGNALS:
            os.kill(child.pid, number)
    assert len(list(loader)) == 3


def test_a_signal_at_the_moment_of_the_fork_leaves_the_worker_reading(monkeypatch):
    """Before the worker has said what it does about them, they wait."""
    real = os.fork

    def fork():
        pid = real()
        if not pid:
            for number in STOP_SIGNALS:
                os.kill(os.getpid(), number)
        return pid

    monkeypatch.setattr(os, "fork", fork)
    assert len(list(batches_of(Clips()))) == 4
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOP_SIGNALS)


@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGINT])
def test_what_a_handler_raises_at_the_moment_of_the_fork_comes_after_it(monkeypatch, number):
    """In the hooks of a fork Python would pass over it, and logging's lock would be kept."""
    real, forked, done = os.fork, [], threading.Event()

    def raising(number, frame):
        raise RuntimeError("told by a signal")

    def fork():
        pid = real()
        if pid:
            # Any thread may be the one that is interrupted; the main one runs the handler.
            signal.pthread_kill(other.ident, number)
            time.sleep(0.1)
            forked.append(pid)
        return pid

    other = threading.Thread(target=done.wait)
    other.start()
    context = batches_of(Clips()).multiprocessing_context
    process = context.Process(target=time.sleep, args=(20,), daemon=True)
    before = signal.signal(number, raising)
    try:
        monkeypatch.setattr(os, "fork", fork)
        with pytest.raises(RuntimeError, match="told by a signal"):
            process.start()
        assert forked == [process.pid]
        assert signal.getsignal(number) is raising
    finally:
        signal.signal(number, before)
        done.set()
        other.join()
        process.terminate()
        process.join(20)


def test_workers_that_hang_are_ended_with_their_loader():
    """Whoever ends them, torch or multiprocessing at the end of Python, asks by terminate()."""
    loader = batches_of(Clips(lambda: time.sleep(3600)))
    context = loader.multiprocessing_context
    process = context.Process(target=sleep_deaf, daemon=True)
    process.start()
    process.terminate()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL


def sleep_deaf():
    ignore_stop_signals()
    time.sleep(3600)


def test_a_temporary_folder_too_long_for_sockets_is_named(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    # Not delitem: what is made meanwhile must not stay for the tests that follow.
    monkeypatch.setitem(multiprocessing.current_process()._config, "tempdir", None)
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"^TMPDIR = .*longlong.*: this path is too long"):
        list(batches_of(Clips()))
    assert time.monotonic() - start < 20


def no_room():
    def share(self):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space"
        )

    torch.UntypedStorage._share_fd_cpu_ = share


def test_shared_memory_that_is_full_is_named():
    start = time.monotonic()
    with pytest.raises(
        UsageError, match=r"found no shared memory for a batch \(\d+ MB free in /dev/shm\): enlarge"
    ):
        list(batches_of(Clips(no_room)))
    assert time.monotonic() - start < 20


class Unpicklable(Clips):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        object.__setattr__(item, "failures", (lambda: None,))
        return item


def test_a_batch_that_can_not_be_sent_for_another_reason_is_not_foreseen():
    with pytest.raises(Exception, match=r"pickle|lambda") as caught:
        list(batches_of(Unpicklable()))
    assert not isinstance(caught.value, UsageError)
    assert Record.of(caught.value).who.startswith("reading worker ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "--shm-size"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError("AF_UNIX path too long"), "TMPDIR = "),
    ],
    ids=["full", "files", "path"],
)
def test_what_the_user_can_mend_is_said(error, said):
    assert said in str(in_words(error))
    assert in_words(error).__cause__ is error


def test_what_nobody_can_is_itself():
    error = OSError(errno.EIO, "Input/output error")
    assert in_words(error) is error
