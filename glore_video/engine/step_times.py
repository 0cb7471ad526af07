"""Where the time of training steps goes, on the device's own clock, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

# A step's marks in order; a phase is the time up to its mark since the one before it. "data" is the
# time in which the device has nothing to do.
PHASES = ("data", "transfer", "forward", "backward", "update")
_SLOW_DATA = 0.2


class StepTimes:
    """Sums of the phases of steps.

    On a GPU marks are events in its queue, so that measuring never waits for it, and time in which
    it still computes while the next batch is read is not counted as waiting for data.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._last = self._now()
        self._spans: list[tuple[str, object, object]] = []
        self.steps = 0

    def _now(self) -> object:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def mark(self, phase: str) -> None:
        """The end of a phase, and the start of what follows."""
        now = self._now()
        self._spans.append((phase, self._last, now))
        self._last = now

    def skip(self) -> None:
        """What was done since the last mark belongs to no step."""
        self._last = self._now()

    def take(self) -> dict[str, float]:
        """Mean seconds a step of each phase since the last call; waits for the device."""
        if self._on_gpu:
            torch.cuda.synchronize()
        sums = dict.fromkeys(PHASES, 0.0)
        for phase, start, end in self._spans:
            sums[phase] += (
                start.elapsed_time(end) / 1000  # type: ignore[attr-defined]
                if self._on_gpu
                else end - start  # type: ignore[operator]
            )
        means = {phase: seconds / max(1, self.steps) for phase, seconds in sums.items()}
        self._spans.clear()
        self.steps = 0
        return means


def shares(seconds: dict[str, float]) -> str:
    """Phases in percent of the step: "data 5%, transfer 1%, forward 30%, ..."."""
    total = sum(seconds.values()) or 1.0
    return ", ".join(f"{phase} {100 * seconds[phase] / total:.0f}%" for phase in PHASES)


def verdict(
    seconds: dict[str, float], *, num_workers: int, cores: int, faster_reading: str
) -> str | None:
    """One line about a run that waits for its data, or None.

    Args:
        seconds: a step's, by phase.
        num_workers: reading processes of this process.
        cores: that this process may use.
        faster_reading: what else helps.
    """
    total = sum(seconds.values())
    share = seconds["data"] / total if total else 0.0
    if share < _SLOW_DATA:
        return None
    cure = f"raise DATA_LOADER.NUM_WORKERS ({num_workers} of {cores} cores), or "
    if num_workers >= cores:
        cure = f"all {cores} cores read already: "
    return f"waiting for data {100 * share:.0f}% of the time: {cure}{faster_reading}"


def time_left(steps: int, seconds: Sequence[float]) -> str:
    """h:mm:ss that so many steps take, each the sum of seconds."""
    left = round(steps * sum(seconds))
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
