"""Computing threads on the CPU: no more than CPUs, and as many as a few timed steps show to be best."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import Any

import torch

from glore_video.processes.cpus import usable_cpus

logger = logging.getLogger(__name__)

_ROUNDS = 3  # each number is timed so often
_MOST_COST = 0.05  # of the steps that the choice is made for
_AS_FAST = 1.05  # fewer threads are taken if they are: the reading processes want CPUs too
_HOPELESS = 2.5  # half the threads take twice the time at most, but for noise


def bound_threads(processes: int = 1) -> int:
    """Take no more computing threads than CPUs for each of these processes; returns their number.

    torch counts neither the quota of a container nor the other processes. OMP_NUM_THREADS and
    torch.set_num_threads may have set fewer.
    """
    number = min(torch.get_num_threads(), max(1, usable_cpus() // processes))
    torch.set_num_threads(number)
    return number


def numbers_to_try(most: int) -> list[int]:
    """The most threads, half as many, and so on down to 1."""
    numbers = [most]
    while numbers[-1] > 1:
        numbers.append(numbers[-1] // 2)
    return numbers


def trial_length(most: int) -> int:
    """Steps that a choice among up to so many threads takes at most; the first is not timed."""
    return 1 + _ROUNDS * len(numbers_to_try(most))


def choose_threads(
    steps: Generator[Any, None, None],
    *,
    most: int,
    steps_to_come: int,
    gather: Callable[[Any], list[Any]],
) -> None:
    """Compute with the number of threads that is fastest on this machine as busy as it is now.

    What is chosen is the same for all processes. Nothing is timed, and the number stays, if the
    trial would take more than a twentieth of the steps to come, or if it ends early. The state of
    the random number generators stays as it is.

    Args:
        steps: each next() does one throw-away step, reading included.
        most: threads of this process.
        steps_to_come: the same on all processes.
        gather: the values of all processes, as Process.gather.
    """
    most = min(gather(most))
    if most == 1 or trial_length(most) > _MOST_COST * steps_to_come:
        return
    before = torch.get_num_threads()
    with closing(steps), torch.random.fork_rng(devices=[]):
        own = _time(steps, numbers_to_try(most))
    everyone = gather(own)
    totals = {n: sum(each[n] for each in everyone) for n in own if all(n in e for e in everyone)}
    if not totals:
        torch.set_num_threads(before)
        return
    chosen = min(n for n in totals if totals[n] <= _AS_FAST * min(totals.values()))
    torch.set_num_threads(chosen)
    logger.info(
        "computing with %d of %d threads (CPU_THREADS sets another number): a step takes %s",
        *(chosen, most),
        ", ".join(f"{1000 * own[n]:.0f} ms with {n}" for n in sorted(totals)),
    )


def _time(steps: Generator[Any, None, None], numbers: list[int]) -> dict[int, float]:
    """Median seconds of a step with each number; none if the steps end early.

    In turns, so that what else the machine does in the meantime meets all of them.
    """
    seconds: dict[int, list[float]] = {}

    def time_one(number: int) -> float:
        torch.set_num_threads(number)
        start = time.perf_counter()
        next(steps)
        return time.perf_counter() - start

    with suppress(StopIteration):
        time_one(numbers[0])  # the first step allocates, and may wait for readers to start
        for number in numbers:
            seconds[number] = [time_one(number)]
            if seconds[number][0] > _HOPELESS * min(each[0] for each in seconds.values()):
                break
        for _ in range(_ROUNDS - 1):
            for number, several in seconds.items():
                several.append(time_one(number))
        return {number: statistics.median(several) for number, several in seconds.items()}
    return {}
