"""Phases of a step, and what is said about them."""

import time

import pytest
import torch

from glore_video.engine.step_times import StepTimes, shares, time_left, verdict


def seconds(data):
    return {"data": data, "transfer": 0.0, "forward": 1.0, "backward": 2.0, "update": 0.5}


def test_phases_are_means_over_steps():
    times = StepTimes(torch.device("cpu"))
    for _ in range(2):
        time.sleep(0.02)
        times.mark("data")
        time.sleep(0.01)
        times.mark("forward")
        times.steps += 1
    time.sleep(0.05)
    times.skip()
    times.mark("update")
    taken = times.take()
    assert list(taken) == ["data", "transfer", "forward", "backward", "update"]
    assert 0.02 <= taken["data"] < 0.04
    assert 0.01 <= taken["forward"] < 0.03
    assert taken["update"] < 0.01
    assert sum(times.take().values()) == 0


def test_shares():
    assert shares(seconds(1.5)) == "data 30%, transfer 0%, forward 20%, backward 40%, update 10%"


@pytest.mark.parametrize(
    ("data", "workers", "said"),
    [
        (0.5, 2, None),
        (
            3.5,
            2,
            "waiting for data 50% of the time: raise DATA_LOADER.NUM_WORKERS (2 of 8 cores), or make videos",
        ),
        (3.5, 8, "waiting for data 50% of the time: all 8 cores read already: make videos smaller"),
    ],
)
def test_verdict(data, workers, said):
    line = verdict(
        seconds(data), num_workers=workers, cores=8, faster_reading="make videos smaller"
    )
    assert line is None if said is None else line.startswith(said)


def test_time_left():
    assert time_left(1000, [3.0, 1.0]) == "1:06:40"
