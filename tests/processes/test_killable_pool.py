"""Work in processes with a time limit for each piece."""

import os
import time

import pytest

from glore_video.processes.killable_pool import map_killable
from glore_video.processes.records import Record


def work(task):
    if task == "hang":
        time.sleep(3600)
    if task == "die":
        os._exit(5)
    if task == "bug":
        raise KeyError(task)
    return os.getpid(), task


def test_every_task_has_an_outcome_whatever_becomes_of_others():
    tasks = ["a", "hang", "b", "die", "hang", *"cdefgh"]
    outcomes = list(map_killable(work, tasks, processes=3, seconds=0.5))
    assert sorted(outcome.task for outcome in outcomes) == sorted(tasks)
    by_task = {outcome.task: outcome for outcome in outcomes}
    assert by_task["hang"].lost == "timeout"
    assert by_task["die"].lost == "exit status 5"
    assert [o.lost for o in outcomes].count("timeout") == 2
    assert all(by_task[task].value[1] == task and not by_task[task].lost for task in "abcdefgh")
    pids = {o.value[0] for o in outcomes if o.value}
    assert os.getpid() not in pids
    assert len(pids) <= 3 + 3  # three at a time, and one more for each that was lost
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_hanging_tasks_wait_side_by_side():
    start = time.monotonic()
    lost = [o.lost for o in map_killable(work, ["hang"] * 4, processes=4, seconds=0.4)]
    assert lost == ["timeout"] * 4
    assert time.monotonic() - start < 1.5


def test_tasks_are_drawn_as_they_are_needed():
    drawn = []

    def tasks():
        for number in range(100):
            drawn.append(number)
            yield number

    outcomes = map_killable(work, tasks(), processes=2, seconds=5)
    assert drawn == []
    next(outcomes)
    assert len(drawn) == 2
    outcomes.close()


def test_an_error_of_the_function_stops_it_at_once_and_names_the_video():
    start = time.monotonic()
    with pytest.raises(KeyError, match="bug") as caught:
        list(
            map_killable(
                work, ["hang", "bug"], processes=2, seconds=600, video=lambda task: f"/data/{task}"
            )
        )
    assert time.monotonic() - start < 10
    assert Record.of(caught.value).sample == "/data/bug"
    assert "in work" in str(caught.value.__cause__)


def test_no_tasks():
    assert list(map_killable(work, [], processes=2, seconds=1)) == []
