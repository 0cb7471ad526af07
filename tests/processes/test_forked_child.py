"""Processes that answer calls and can be killed."""

import os
import signal
import sys
import time

import pytest
import torch

from glore_video.processes import forked_child as children
from glore_video.processes import waiting_times
from glore_video.processes.forked_child import Child, ChildDiedError
from glore_video.video import VideoError


class TwoWordsError(Exception):
    """Can be pickled, and not unpickled."""

    def __init__(self, first, second):
        super().__init__(first + second)


def is_gone(pid):
    """Not running, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while not is_gone(pid):
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.01)


@pytest.fixture
def child(request):
    made = []

    def make(function, **options):
        made.append(Child(function, **options))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.mark.parametrize("buffer_bytes", [0, 1000, 1 << 20])
def test_tensors_come_back_whole_whether_they_fit_the_buffer_or_not(child, buffer_bytes):
    def answer(start):
        numbers = torch.arange(start, start + 300, dtype=torch.int16)
        return {"t": numbers.view(3, 100).T, "empty": torch.empty(0, 3), "u": [numbers.byte()]}

    process = child(answer, buffer_bytes=buffer_bytes)
    kept = []
    for start in (0, 7):
        process.send(start)
        assert process.answers_within(10)
        kept.append(process.receive())
    for start, got in zip((0, 7), kept, strict=True):
        assert got["t"].dtype == torch.int16
        assert got["t"].tolist() == [[start + n + m for m in (0, 100, 200)] for n in range(100)]
        assert got["empty"].shape == (0, 3)
        assert got["u"][0].tolist() == [(start + n) % 256 for n in range(300)]


def test_errors_come_back_with_their_traceback(child):
    class LocalError(Exception):
        """Can't be pickled."""

    def fail(kind):
        if kind == "two":
            raise TwoWordsError("odd", "indeed")
        if kind == "video":
            raise VideoError("a b.mp4", "no such file")
        if kind == "local":
            raise LocalError("strange")
        return {}["key"]

    process = child(fail)
    process.send("video")
    with pytest.raises(VideoError, match=r"^a b\.mp4: no such file$"):
        process.receive()
    process.send("bug")
    with pytest.raises(KeyError) as caught:
        process.receive()
    assert "in fail" in str(caught.value.__cause__)
    process.send("local")
    with pytest.raises(RuntimeError, match="strange"):
        process.receive()
    process.send("two")
    with pytest.raises(RuntimeError, match="TwoWordsError"):
        process.receive()


def test_kill_ends_a_process_that_listens_to_nothing(child):
    def deaf():
        signal.pthread_sigmask(signal.SIG_BLOCK, set(range(1, 32)))
        while True:
            pass

    process = child(deaf)
    process.send()
    assert not process.answers_within(0.05)
    assert process.kill() == "signal SIGKILL"
    wait_until_gone(process.pid)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"),
        (lambda: os._exit(3), "exit status 3"),
    ],
)
def test_death_is_told(child, end, how):
    process = child(end)
    process.send()
    with pytest.raises(ChildDiedError, match=f"^{how}$"):
        process.receive()
    with pytest.raises(ChildDiedError):
        process.send()


def stand_still():
    os.kill(os.getpid(), signal.SIGSTOP)


class Slow:
    """Stands still as it is sent, with half of the message gone."""

    def __init__(self, connection):
        self.connection = connection

    def __call__(self):
        os.write(self.connection.fileno(), (1000).to_bytes(4, "big") + b"half")
        stand_still()


def test_process_that_stands_still_in_its_answer_is_killed(child, monkeypatch):
    monkeypatch.setattr(waiting_times, "SILENCE", 0.3)
    ends = []
    pipe = children.multiprocessing.Pipe

    def noted():
        ends.append(pipe())
        return ends[-1]

    monkeypatch.setattr(children.multiprocessing, "Pipe", noted)
    process = child(lambda: Slow(ends[0][1])())
    process.send()
    assert process.answers_within(10)
    with pytest.raises(ChildDiedError, match=r"still for 0\.3 s in the middle of its answer"):
        process.receive()
    wait_until_gone(process.pid)


def test_process_that_takes_no_arguments_is_killed(child, monkeypatch):
    monkeypatch.setattr(waiting_times, "SILENCE", 0.3)
    process = child(len)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ChildDiedError, match=r"it took no arguments for 0\.3 s"):
        process.send(bytes(10_000_000))
    wait_until_gone(process.pid)


def test_what_is_no_exception_comes_back_too(child, capfd):
    process = child(sys.exit)
    process.send("leaving")
    with pytest.raises(RuntimeError, match="SystemExit: leaving"):
        process.receive()
    assert capfd.readouterr().err == ""


def test_processes_end_when_their_parent_is_killed(tmp_path):
    """One idles and one is stuck; each holds what it inherited of the other."""

    def parent():
        idle, stuck = Child(os.getpid), Child(lambda: time.sleep(600))
        stuck.send()
        idle.send()
        (tmp_path / "pids").write_text(f"{idle.receive()} {stuck.pid}")
        time.sleep(600)

    middle = Child(parent)
    middle.send()
    end = time.monotonic() + 10
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert not any(is_gone(pid) for pid in pids)
    middle.kill()
    for pid in pids:
        wait_until_gone(pid)


def test_process_ends_when_nobody_wants_it_any_more():
    process = Child(os.getpid)
    pid = process.pid
    assert not is_gone(pid)
    del process
    wait_until_gone(pid)
