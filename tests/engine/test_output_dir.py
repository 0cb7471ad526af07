"""The lock of OUTPUT_DIR, and what an earlier run has left there."""

import multiprocessing
import os
import re

import pytest

from glore_video.engine import output_dir
from glore_video.engine.output_dir import FolderLock, InUseError, set_aside, waited_for

fcntl = pytest.importorskip("fcntl")


def test_a_second_taker_is_told_who_holds_it(tmp_path):
    folder = tmp_path / "new" / "run"
    with FolderLock(folder) as lock:
        lock.take()
        lock.take()  # it has it already
        with (
            pytest.raises(
                InUseError, match=rf"process {os.getpid()} on .* \(since \d+-.*\) writes into .*run"
            ),
            FolderLock(folder) as second,
        ):
            second.take(create=False)
        with pytest.raises(InUseError), FolderLock(folder) as second:
            second.take()
    assert list(folder.iterdir()) == []
    with FolderLock(folder) as lock:
        lock.take()


def test_looking_leaves_nothing(tmp_path):
    with FolderLock(tmp_path / "run") as lock:
        lock.take(create=False)
    assert not (tmp_path / "run").exists()


def test_a_lock_that_was_left_behind_is_free(tmp_path):
    (tmp_path / "run.lock").write_text("process 1 on elsewhere (since long ago)\n")
    with FolderLock(tmp_path) as lock:
        lock.take(create=False)
        assert f"process {os.getpid()}" in (tmp_path / "run.lock").read_text()


def test_a_file_removed_between_opening_and_locking_is_made_anew(tmp_path, monkeypatch):
    real = output_dir.lock_file
    calls = []

    def lock_file(file):
        if not calls:
            (tmp_path / "run.lock").unlink()
        calls.append(file)
        return real(file)

    monkeypatch.setattr(output_dir, "lock_file", lock_file)
    with FolderLock(tmp_path) as lock:
        lock.take()
        assert len(calls) == 2
        with pytest.raises(InUseError), FolderLock(tmp_path) as second:
            second.take()


def wait_for(event):
    event.wait(60)


def test_a_forked_process_that_lives_longer_does_not_hold_it(tmp_path):
    context = multiprocessing.get_context("fork")
    done = context.Event()
    with FolderLock(tmp_path) as lock:
        lock.take()
        child = context.Process(target=wait_for, args=(done,))
        child.start()
    with FolderLock(tmp_path) as lock:
        lock.take()
    done.set()
    child.join()
    assert child.exitcode == 0


def test_waiting_goes_on_when_the_holder_is_done(tmp_path):
    said = []
    with FolderLock(tmp_path) as lock:
        lock.take()

        def waiting(what):
            said.append(what)
            lock.__exit__(None, None, None)

        with waited_for(tmp_path, waiting):
            assert len(said) == 1
            assert re.match(r"process \d+ on ", said[0])


def test_setting_aside_keeps_everything(tmp_path):
    for number in (1, 2):
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "checkpoint_epoch_00001.pyth").write_text(str(number))
        (tmp_path / "metrics.jsonl").write_text(str(number))
        (tmp_path / "log.txt").write_text("the log goes on")
        set_aside(tmp_path)
        aside = tmp_path / f"earlier_{number}"
        assert (aside / "checkpoints" / "checkpoint_epoch_00001.pyth").read_text() == str(number)
        assert (aside / "metrics.jsonl").read_text() == str(number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier_1", "earlier_2", "log.txt"]
    set_aside(tmp_path)
    assert not (tmp_path / "earlier_3").exists()
