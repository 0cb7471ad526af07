import threading
import time

import pytest

from glore_video.errors import UsageError
from glore_video.serving.jobs import FullError, Jobs
from glore_video.video import VideoError


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Gate:
    """Work that waits until it may go on, one after the other."""

    def __init__(self):
        self.go = threading.Semaphore(0)
        self.done = []

    def __call__(self, upload, film, name, report):
        report("working", 0.5)
        assert self.go.acquire(timeout=5)
        self.done.append(name)
        if name == "bad":
            raise VideoError(upload, "no frame can be decoded")
        if name == "diverged":
            raise UsageError(f"{upload}: the network's scores are not finite")
        if name == "broken":
            raise RuntimeError(f"{upload} is odd")
        film.write_text("film")
        return {"name": name}


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def jobs(gate):
    jobs = Jobs(gate, most=3, keep_seconds=100)
    yield jobs
    for _ in range(10):
        gate.go.release()
    jobs.close()
    assert not jobs.root.exists()


def put(jobs, name):
    job = jobs.new(name)
    job.upload.write_text(name)
    jobs.submit(job)
    return job


def test_one_after_the_other(jobs, gate):
    first, second, third = (put(jobs, name) for name in "abc")
    until(lambda: first.state == "running")
    assert (first.stage, first.share) == ("working", 0.5)
    assert [jobs.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    with pytest.raises(FullError, match="3 videos are waiting already"):
        jobs.new("d")
    gate.go.release()
    until(lambda: first.state == "done")
    assert first.result == {"name": "a"}
    assert not first.upload.exists()
    assert first.exhibit.exists()
    until(lambda: second.state == "running")
    assert third.upload.exists()
    put(jobs, "d")
    for _ in range(3):
        gate.go.release()
    until(lambda: len(gate.done) == 4)
    assert gate.done == ["a", "b", "c", "d"]


@pytest.mark.filterwarnings("ignore")
def test_one_that_fails_does_not_stop_the_others(jobs, gate):
    bad, broken, good = (put(jobs, name) for name in ("bad", "broken", "good"))
    for _ in range(3):
        gate.go.release()
    until(lambda: good.state == "done")
    assert (bad.state, bad.message) == ("failed", "no frame can be decoded")
    assert (broken.state, broken.message) == ("failed", "RuntimeError: broken is odd")
    assert not bad.upload.exists()


def test_a_network_that_has_diverged_is_said_as_it_is(jobs, gate):
    diverged = put(jobs, "diverged")
    gate.go.release()
    until(lambda: diverged.state == "failed")
    assert diverged.message == "diverged: the network's scores are not finite"


def test_removed_while_it_waits_and_while_it_runs(jobs, gate):
    first, second = put(jobs, "a"), put(jobs, "b")
    until(lambda: first.state == "running")
    jobs.remove(second)
    jobs.remove(first)
    assert jobs.get(first.id) is None
    third = put(jobs, "c")
    gate.go.release()
    gate.go.release()
    until(lambda: third.state == "done")
    assert gate.done == ["a", "c"]
    until(lambda: not first.folder.exists())
    assert not second.folder.exists()


def test_results_are_forgotten(gate):
    jobs = Jobs(gate, keep_seconds=0.05)
    job = put(jobs, "a")
    gate.go.release()
    until(lambda: job.state == "done")
    assert jobs.get(job.id) is job
    until(lambda: not job.folder.exists())  # though nobody asks
    assert jobs.get(job.id) is None
    jobs.close()
