"""Steps of a run on the CPU that have become slower for good, since other work came to the machine."""

from __future__ import annotations

import statistics

_FIRST = 5  # reports that say what is usual
_SLOWER = 1.5
_SECONDS = 180.0  # that it lasts before anything is said, over
_REPORTS = 5  # reports at least


class Slowdown:
    """Of one run; tell it the seconds of each report.

    Args:
        threads: that compute.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._first: list[float] = []
        self._slow: list[tuple[float, int]] = []
        self._said = False

    def advice(self, seconds: float, steps: int) -> str | None:
        """One line, once, after reports that are all slower than the first ones were.

        Args:
            seconds: mean of a step, without waiting for data.
            steps: of this report.
        """
        if len(self._first) < _FIRST:
            self._first.append(seconds)
            return None
        usual = statistics.median(self._first)
        if seconds <= _SLOWER * usual:
            self._slow.clear()
            return None
        self._slow.append((seconds, steps))
        lasting = sum(each * count for each, count in self._slow) >= _SECONDS
        if self._said or not lasting or len(self._slow) < _REPORTS:
            return None
        self._said = True
        now = statistics.median(each for each, _ in self._slow)
        cure = "with one thread already, only less other work helps"
        if self._threads > 1:
            cure = (
                f"CPU_THREADS {self._threads // 2} ({self._threads} now) may be faster: stopped with "
                "Ctrl-C and started again with it, the run goes on from there"
            )
        return (
            f"a step computes for {1000 * now:.0f} ms, {1000 * usual:.0f} ms at the start: other "
            f"work keeps the CPUs busy; {cure}"
        )
