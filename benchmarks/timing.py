"""Times several forms of one computation side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from memory import peak_bytes


@dataclass(frozen=True)
class Cost:
    """Seconds of the fastest round; bytes of memory above what was there before."""

    seconds: float
    peak_bytes: int


def compare(
    forms: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    cpu_time: bool = False,
) -> dict[str, Cost]:
    """Runs every form once a round, in turn, so that a busy moment hits all alike.

    Args:
        forms: names and what to run.
        rounds: rounds that count, after one that does not.
        device: where the forms run.
        cpu_time: count the process's CPU seconds over all threads, not wall-clock seconds: steadier
            on a CPU that others use too, with one thread.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    peaks = {name: peak_bytes(run, device) for name, run in forms.items()}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, run in forms.items():
            _synchronize(device)
            start = clock()
            run()
            _synchronize(device)
            seconds[name].append(clock() - start)
    return {name: Cost(min(seconds[name]), peaks[name]) for name in forms}


def bandwidth(device: torch.device, *, megabytes: int = 256) -> float:
    """Bytes a second, read and written, of copying one large tensor."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    cost = compare({"copy": lambda: target.copy_(source)}, rounds=10, device=device)["copy"]
    return 2 * source.numel() * source.element_size() / cost.seconds


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
