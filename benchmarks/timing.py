"""Times several forms of one computation side by side."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from memory import peak_bytes

# Calls of a GPU are timed in series this long, so that what the host waits for once does not count.
_SERIES_SECONDS = 0.02
_SERIES_CALLS = 50


@dataclass(frozen=True)
class Cost:
    """Of one call.

    Attributes:
        seconds: of the fastest round.
        median_seconds: of all rounds that count.
        peak_bytes: of memory above what was there before.
    """

    seconds: float
    median_seconds: float
    peak_bytes: int


def compare(
    forms: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    cpu_time: bool = False,
) -> dict[str, Cost]:
    """Runs every form once a round, in turn, so that a busy moment hits all alike.

    On a GPU a form's turn is a series of calls, as many as fill 20 ms (at most 50), that the host asks
    for without waiting in between.

    Args:
        forms: names and what to run.
        rounds: rounds that count, after one that does not.
        device: where the forms run.
        cpu_time: count the process's CPU seconds over all threads, not wall-clock seconds: steadier
            on a CPU that others use too, with one thread.
    """
    clock = time.process_time if cpu_time else time.perf_counter

    def timed(run: Callable[[], object], calls: int = 1) -> float:
        _synchronize(device)
        start = clock()
        for _ in range(calls):
            run()
        _synchronize(device)
        return (clock() - start) / calls

    peaks = {name: peak_bytes(run, device) for name, run in forms.items()}
    calls = dict.fromkeys(forms, 1)
    if device.type == "cuda":
        calls = {name: calls_of_a_series(timed(run)) for name, run in forms.items()}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, run in forms.items():
            seconds[name].append(timed(run, calls[name]))
    return {
        name: Cost(min(seconds[name]), statistics.median(seconds[name]), peaks[name])
        for name in forms
    }


def calls_of_a_series(seconds: float) -> int:
    """Calls in a row to be timed, where one takes so many seconds."""
    return min(_SERIES_CALLS, max(1, math.ceil(_SERIES_SECONDS / max(seconds, 1e-9))))


def device_here(text: str) -> str:
    """A --device that this machine has. Raises argparse's error for another one."""
    try:
        kind = torch.device(text).type
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"cpu or cuda is expected, got {text!r}") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError("torch sees no GPU on this machine")
    return text


def bandwidth(device: torch.device, *, megabytes: int = 256) -> float:
    """Bytes a second, read and written, of copying one large tensor."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    cost = compare({"copy": lambda: target.copy_(source)}, rounds=10, device=device)["copy"]
    return 2 * source.numel() * source.element_size() / cost.seconds


def device_name(device: torch.device) -> str:
    """The GPU's name, or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
