"""Locks on files, and file systems that have none."""

import errno
import os
import sys

import pytest

from glore_video.files.locks import lock_file

fcntl = pytest.importorskip("fcntl", reason="this system has no flock")


def test_a_file_is_locked_until_it_is_closed(tmp_path):
    path = tmp_path / "lock"
    with path.open("a+") as first, path.open("a+") as second:
        assert lock_file(first)
        with pytest.raises(BlockingIOError) as held:
            lock_file(second)
        assert held.value.filename == str(path)
        first.close()
        assert lock_file(second)


@pytest.mark.parametrize("name", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_file_systems_without_locks_are_said_and_gone_on_with(tmp_path, monkeypatch, caplog, name):
    number = getattr(errno, name)

    def answer(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", answer)
    with (tmp_path / "lock").open("a+") as file:
        assert lock_file(file) is False
    (record,) = caplog.records
    assert str(tmp_path / "lock") in record.getMessage()
    assert os.strerror(number) in record.getMessage()


def test_systems_without_flock_are_said_and_gone_on_with(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with (tmp_path / "lock").open("a+") as file:
        assert lock_file(file) is False
    assert "can't be locked" in caplog.text


def test_other_errors_name_the_file(tmp_path, monkeypatch):
    def answer(file, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", answer)
    with (tmp_path / "lock").open("a+") as file, pytest.raises(OSError, match="lock") as error:
        lock_file(file)
    assert error.value.errno == errno.EIO
