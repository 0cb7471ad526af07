"""The choice of computing threads, with a clock that the test sets, and in whole runs."""

import itertools
import os
import signal

import numpy as np
import pytest
import torch

from glore_video.cli.main import main
from glore_video.engine import threads
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint
from glore_video.engine.threads import bound_threads, choose_threads, numbers_to_try, trial_length
from glore_video.engine.train_step import TrainStep


class Steps:
    """Steps whose seconds depend on the number of threads, and the clock that shows them."""

    def __init__(self, seconds, first=0.0):
        self.seconds = seconds
        self.now = 0.0
        self.done = []
        self.first = first

    def __iter__(self):
        self.now += self.first
        while True:
            number = torch.get_num_threads()
            self.done.append(number)
            self.now += next(self.seconds[number])
            torch.rand(1)
            yield


@pytest.fixture
def choose(monkeypatch):
    """(seconds of each number's steps) -> (threads then, those of the steps that were done)."""

    def chosen(seconds, *, steps_to_come=1000, processes=1, first=0.0):
        steps = Steps(
            {n: itertools.cycle([s] if isinstance(s, float) else s) for n, s in seconds.items()},
            first,
        )
        monkeypatch.setattr(threads.time, "perf_counter", lambda: steps.now)
        torch.set_num_threads(max(seconds))
        choose_threads(
            iter(steps),
            most=max(seconds),
            steps_to_come=steps_to_come,
            gather=lambda value: [value] * processes,
        )
        return torch.get_num_threads(), steps.done

    return chosen


@pytest.mark.parametrize(
    ("most", "numbers", "steps"),
    [(1, [1], 4), (2, [2, 1], 7), (6, [6, 3, 1], 10), (64, [64, 32, 16, 8, 4, 2, 1], 22)],
)
def test_numbers_to_try(most, numbers, steps):
    assert numbers_to_try(most) == numbers
    assert trial_length(most) == steps


@pytest.mark.parametrize(
    ("seconds", "number"),
    [
        pytest.param({2: 0.183, 1: 0.251}, 2, id="quiet"),
        pytest.param({2: 0.501, 1: 0.270}, 1, id="beside a busy process"),
        pytest.param({2: 6.0, 1: 1.8}, 1, id="beside six"),
        pytest.param({2: 0.240, 1: 0.250}, 1, id="hardly faster"),
        pytest.param({2: [0.2, 0.2, 0.9], 1: 0.3}, 2, id="one step disturbed"),
        pytest.param({4: 0.4, 2: 0.2, 1: 0.3}, 2, id="the middle"),
    ],
)
def test_the_fastest_number_computes(choose, seconds, number):
    chosen, done = choose(seconds, first=5.0)
    assert chosen == number
    numbers = sorted(seconds, reverse=True)
    assert done == [numbers[0], *numbers * 3]


def test_far_too_few_threads_are_not_tried_often(choose):
    """On many CPUs steps with one thread take as long as the whole trial should."""
    quiet = {number: 6.4 / number for number in (64, 32, 16, 8, 4, 2, 1)}
    number, done = choose(quiet)
    assert number == 64
    assert done == [64, *[64, 32, 16] * 3]


def test_processes_choose_together(choose, monkeypatch):
    assert choose({2: 0.2, 1: 0.3}, processes=2)[0] == 2
    torch.set_num_threads(2)
    monkeypatch.setattr(threads, "_time", lambda steps, numbers: {2: 0.2, 1: 0.3})
    other = {2: 0.9, 1: 0.4}  # of a host that does other work as well
    choose_threads(
        iter(Steps({})),
        most=2,
        steps_to_come=1000,
        gather=lambda value: [value, other if isinstance(value, dict) else value],
    )
    assert torch.get_num_threads() == 1


def test_short_runs_are_not_delayed(choose):
    assert choose({2: 0.2, 1: 0.1}, steps_to_come=139) == (2, [])
    assert choose({2: 0.2, 1: 0.1}, steps_to_come=140)[0] == 1


def test_a_trial_that_is_stopped_changes_nothing():
    torch.set_num_threads(2)
    choose_threads(
        (None for _ in range(4)), most=2, steps_to_come=1000, gather=lambda value: [value]
    )
    assert torch.get_num_threads() == 2


def test_the_trial_leaves_random_numbers_as_they_were(choose):
    state = torch.get_rng_state()
    choose({2: 0.2, 1: 0.1})
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("torchs", "cpus", "processes", "number"),
    [(8, 2, 1, 2), (8, 8, 3, 2), (1, 8, 1, 1), (4, 2, 4, 1)],
)
def test_no_more_threads_than_cpus(monkeypatch, torchs, cpus, processes, number):
    monkeypatch.setattr(threads, "usable_cpus", lambda: cpus)
    torch.set_num_threads(torchs)
    assert bound_threads(processes) == torch.get_num_threads() == number


@pytest.fixture
def run(options, tmp_path, monkeypatch):
    """A run with these keys, on a machine of two CPUs -> its exit status."""
    (tmp_path / "empty.yaml").write_text("")
    monkeypatch.setattr(threads, "usable_cpus", lambda: 2)

    def started(**changes):
        torch.set_num_threads(2)
        pairs = options | {"TRAIN.CHECKPOINT_PERIOD": 1} | changes
        words = [str(word) for pair in pairs.items() for word in pair]
        return main(["--cfg", str(tmp_path / "empty.yaml"), *words])

    return started


@pytest.fixture
def one_is_chosen(monkeypatch):
    monkeypatch.setattr(threads, "_MOST_COST", 100.0)
    monkeypatch.setattr(threads, "_AS_FAST", 1e9)


def state_of(folder, epoch):
    return read_checkpoint(checkpoint_path(folder, epoch))


def equal(a, b):
    return all(
        torch.equal(a["model_state"][key], b["model_state"][key]) for key in a["model_state"]
    )


@pytest.mark.parametrize("frozen", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_that_chooses_equals_one_that_is_told(run, one_is_chosen, tmp_path, capsys, frozen):
    keys = {"MODEL.FROZEN_BN": frozen, "MODEL.DROPOUT_RATE": 0.5}
    assert run(OUTPUT_DIR=tmp_path / "a", **keys) == 0
    assert capsys.readouterr().err.count("computing with 1 of 2 threads") == 2  # and in the test
    assert run(OUTPUT_DIR=tmp_path / "b", CPU_THREADS=1, **keys) == 0
    assert "computing with" not in capsys.readouterr().err
    for epoch in (1, 2):
        assert equal(state_of(tmp_path / "a", epoch), state_of(tmp_path / "b", epoch))
    a, b = (np.load(tmp_path / name / "test" / "scores.npz") for name in "ab")
    with a, b:
        np.testing.assert_array_equal(a["logits"], b["logits"])


@pytest.mark.slow
def test_a_resumed_run_computes_with_as_many_threads(run, one_is_chosen, tmp_path, capsys):
    keys = {"OUTPUT_DIR": tmp_path / "a", "TEST.ENABLE": False}
    assert run(**keys) == 0
    whole = state_of(tmp_path / "a", 2)
    assert whole["cpu_threads"] == [1]
    checkpoint_path(tmp_path / "a", 2).unlink()
    capsys.readouterr()
    assert run(**keys) == 0
    assert torch.get_num_threads() == 1
    assert "computing with" not in capsys.readouterr().err
    assert equal(state_of(tmp_path / "a", 2), whole)


def test_a_signal_while_steps_are_timed_stops_before_the_first(
    run, one_is_chosen, options, monkeypatch, capsys
):
    losses = TrainStep.losses

    def signalled(self, *args):
        os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, *args)

    monkeypatch.setattr(TrainStep, "losses", signalled)
    assert run() == 128 + signal.SIGTERM
    assert "stopped by SIGTERM before a step; start again to go on" in capsys.readouterr().err
    assert not (options["OUTPUT_DIR"] / "checkpoints").exists()


def test_more_threads_than_cpus_are_said_when_a_run_goes_on(run, tmp_path, capsys):
    keys = {"OUTPUT_DIR": tmp_path / "a", "TEST.ENABLE": False}
    assert run(CPU_THREADS=3, **keys) == 0
    checkpoint_path(tmp_path / "a", 2).unlink()
    capsys.readouterr()
    assert run(**keys) == 0
    assert torch.get_num_threads() == 3
    assert "goes on with 3 threads as before, but only 2 CPUs are free" in capsys.readouterr().err
    checkpoint_path(tmp_path / "a", 2).unlink()
    assert run(CPU_THREADS=1, **keys) == 0
    assert torch.get_num_threads() == 1
