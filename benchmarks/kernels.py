"""What a computation is made of where operators can't be counted: compiled graphs, kernels of a GPU."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import torch

# Of the code that inductor writes: library calls, operators that it leaves to torch, and kernels of
# its own, C++ (`cpp_fused_...(`) or Triton (`triton_poi_fused_...run(`).
_CALL = re.compile(
    r"(?<![\w.])(?:extern_kernels\.\w+|(?:torch\.ops|aten)(?:\.\w+)+|cpp_fused_\w+|\w+\.run)\("
)


class Kernels(NamedTuple):
    """What ran on a GPU: how many kernels and copies, and the seconds in which one of them ran."""

    count: int
    seconds: float


class Compiled(NamedTuple):
    """Library calls and fused kernels of graphs, and the seconds until they were compiled and had run."""

    calls: int
    seconds: float


def compiled_calls(run: Callable[[], object]) -> Compiled | None:
    """What inductor compiles while `run` is called; None where that is nothing.

    It has to be called for the first time, with caches of compiled graphs off (`without_caches`).
    """
    from torch._inductor.graph import GraphLowering

    sources: dict[str, None] = {}
    start = time.perf_counter()
    with mock.patch.object(
        GraphLowering, "save_output_code", lambda code: sources.setdefault(code)
    ):
        run()
    seconds = time.perf_counter() - start
    return Compiled(sum(map(calls_of, sources)), seconds) if sources else None


def calls_of(source: str) -> int:
    """Library calls and fused kernels of a graph, of inductor's Python code."""
    _, _, body = source.rpartition("async_compile.wait(globals())")
    body = re.split(r"^def (?:get_args|benchmark_compiled_module)\b", body, flags=re.MULTILINE)[0]
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("#")]
    return sum(len(_CALL.findall(line)) for line in lines)


@contextmanager
def without_caches() -> Iterator[None]:
    """All is compiled anew, so that what a graph calls can be counted."""
    with torch.compiler.config.patch(force_disable_caches=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "dynamo_pgo force disabled")
        yield


def gpu_kernels(run: Callable[[], object], device: torch.device) -> Kernels | None:
    """What one call runs on a GPU, as torch's profiler sees it; None if it is none or nothing is seen."""
    if device.type != "cuda":
        return None
    run()
    torch.cuda.synchronize(device)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        run()
        torch.cuda.synchronize(device)
    kernels = kernels_among(profile.events() or ())
    return kernels if kernels.count else None


def kernels_among(events: Iterable[Any]) -> Kernels:
    """Of a profile's events those of a GPU's own; spans that a program named are none."""
    found = [
        event
        for event in events
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation
    ]
    microseconds = sum(event.time_range.elapsed_us() for event in found)
    return Kernels(len(found), microseconds / 1e6)
