"""What the processes of a run do at this moment, and which of them is behind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

FINISHED = "finished"


class Activity:
    """What a process does at this moment.

    Writing it is one assignment of local values, so that it can be done at every phase of a step.
    """

    def __init__(self) -> None:
        self._now = ("starting", 0, 0, False, time.monotonic())

    def set(self, what: str, step: int | None = None) -> None:
        """`step` begins a step; without it, this is the next activity of the same step."""
        _, before, phase, _, _ = self._now
        if step is None or step == before:
            self._now = (what, before, phase + 1, False, time.monotonic())
        else:
            self._now = (what, step, 0, False, time.monotonic())

    def end(self, status: int) -> None:
        """The process ends; with status 0 the others can do without it."""
        self.set(f"ending with status {status}" if status else FINISHED)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While it is entered, this process waits for the others, within what it does."""
        what, step, phase, *_ = self._now
        self._now = (what, step, phase, True, time.monotonic())
        try:
            yield
        finally:
            self._now = (what, step, phase, False, time.monotonic())

    @property
    def what(self) -> str:
        return self._now[0]

    def seconds(self) -> float:
        """Since it last changed."""
        return time.monotonic() - self._now[-1]

    def report(self, rank: int, host: str) -> Report:
        what, step, phase, waits, since = self._now
        seconds = time.monotonic() - since
        return Report(rank, host, what, step, phase, waits, seconds, time.time() - seconds)


@dataclass(frozen=True)
class Report:
    """What a process said of itself.

    Attributes:
        step: steps since the run began; 0 where there are none.
        phase: how many activities it has begun since that step's first.
        waits: for other processes, for certain.
        seconds: since it began this.
        since: when that was by the clock of its machine, seconds since 1970.
    """

    rank: int
    host: str
    what: str
    step: int
    phase: int
    waits: bool
    seconds: float
    since: float

    def __str__(self) -> str:
        step = f" at step {self.step}" if self.step else ""
        return f"{self.what}{step}{', waiting for others' if self.waits else ''}"


def furthest_behind(reports: Mapping[int, Report], silent: Mapping[int, float]) -> int:
    """The rank that the others wait for.

    One that is not heard from, else the first in (step, phase) of those that do not say that they
    wait, else of all; of equals the one that has been longest at it.

    Args:
        reports: the last one of each rank.
        silent: seconds without a sign of life, of those ranks that have given none for too long.
    """
    if silent:
        return max(silent, key=lambda rank: (silent[rank], -rank))
    behind = min(
        reports.values(), key=lambda one: (one.waits, one.step, one.phase, one.since, one.rank)
    )
    return behind.rank
