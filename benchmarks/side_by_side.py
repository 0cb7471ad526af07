"""Passes of several forms of one computation, measured in one run: a row a form, and a table of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from kernels import compiled_calls, gpu_kernels, without_caches
from memory import moved_bytes, operators, peak_bytes, saved_bytes
from timing import compare, device_here
from torch import Tensor, nn

from glore_video.cli.arguments import Parser, not_negative, positive

Row = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)
BACKENDS = ("inductor", "aot_eager", "eager")

# Key of a row, its title, the scale it is printed in, decimals.
COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("launches", "launches", 1, 0),
    ("kernels", "kernels", 1, 0),
    ("forward_macs", "GMACs fwd", 1e-9, 2),
    ("moved_bytes", "moved MB", 1e-6, 1),
    ("saved_bytes", "saved MB", 1e-6, 1),
    ("peak_bytes", "peak MB", 1e-6, 1),
    ("seconds", "ms", 1e3, 2),
    ("ratio", "ratio", 1, 2),
    ("over_floor", "/ floor", 1, 1),
    ("units_share", "units %", 1e2, 1),
    ("kernel_seconds", "busy ms", 1e3, 2),
    ("compile_seconds", "compile s", 1, 1),
)


@dataclass(frozen=True)
class Pass:
    """A form to be measured.

    Attributes:
        run: one pass.
        module: that runs.
        forward: of a training pass the forward pass alone, of which what it saves is counted.
        compiled: whether (parts of) the module are.
        whole: whether the whole module is, so that no operator can be counted from outside.
    """

    run: Callable[[], object]
    module: nn.Module
    forward: Callable[[], Tensor] | None = None
    compiled: bool = False
    whole: bool = True


def measure(
    passes: Mapping[Key, Pass], *, device: torch.device, rounds: int, cpu_time: bool = False
) -> dict[Key, Row]:
    """A row a form; what can't be known of it is not in its row.

    Args:
        passes: the first is what ratios are to.
        device: where they run.
        rounds: of times; 0 measures none.
        cpu_time: as `compare`.
    """
    calls, costs = {}, {}
    with without_caches():
        for key, each in passes.items():
            if each.compiled:
                calls[key] = compiled_calls(each.run)
        if rounds:
            runs = {key: each.run for key, each in passes.items()}
            costs = compare(runs, rounds=rounds, device=device, cpu_time=cpu_time)
    rows: dict[Key, Row] = {}
    for key, each in passes.items():
        row = rows[key] = {}
        if not each.compiled:
            row["launches"], row["moved_bytes"] = operators(each.run), moved_bytes(each.run)
        elif each.whole and calls[key]:
            row["launches"] = calls[key].calls
            row["compile_seconds"] = calls[key].seconds if rounds else None
        if each.forward is not None:
            row["saved_bytes"] = saved_bytes(each.forward, each.module)
        kernels = gpu_kernels(each.run, device)
        if kernels:
            row["kernels"], row["kernel_seconds"] = kernels
        if costs:
            row["seconds"], row["median_seconds"] = costs[key].seconds, costs[key].median_seconds
            row["ratio"] = row["seconds"] / next(iter(costs.values())).seconds
        if not each.compiled or device.type == "cuda":  # on a CPU none sees into compiled code
            row["peak_bytes"] = costs[key].peak_bytes if costs else peak_bytes(each.run, device)
    return rows


def print_table(names: Sequence[str], rows: Sequence[Row], width: int = 28) -> None:
    """A line a form; columns that no form has are left out."""
    columns = [column for column in COLUMNS if any(row.get(column[0]) is not None for row in rows)]
    print(f"{'':{width}}" + "".join(f"{title:>10}" for _, title, _, _ in columns))
    for name, row in zip(names, rows, strict=True):
        text = f"{name:{width}}"
        for key, _, scale, decimals in columns:
            value = row.get(key)
            text += f"{'-':>10}" if value is None else f"{value * scale:10.{decimals}f}"
        print(text, flush=True)


def autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    """To a dtype; None or float32: off."""
    half = dtype not in (None, torch.float32)
    return torch.autocast(device.type, dtype=dtype if half else None, enabled=half)


def add_measuring_arguments(parser: Parser | argparse.ArgumentParser, *, rounds: int) -> None:
    """--device --rounds --threads --cpu-time --backend --json."""
    parser.add_argument("--device", type=device_here, default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=positive, default=rounds)
    parser.add_argument(
        "--threads", type=not_negative, default=0, help="of the CPU; torch's own by default"
    )
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds, not wall-clock ones")
    parser.add_argument("--backend", default=BACKENDS[0], choices=BACKENDS, help="that compiles")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
