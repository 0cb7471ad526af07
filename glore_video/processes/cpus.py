"""CPUs that this process may use: affinity (taskset, Slurm, cpusets) and cgroup quota (docker --cpus)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from glore_video.processes.cgroups import groups_of


def usable_cpus(root: Path = Path("/")) -> int:
    """Number of CPUs, at least 1. A quota of 2.5 CPUs counts as 2.

    Args:
        root: where /proc and /sys are looked for.
    """
    allowed = _allowed_cpus()
    quota = min(_quotas(root), default=float(allowed))
    return max(1, min(allowed, int(quota)))


def _allowed_cpus() -> int:
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; -X cpu_count counts there too
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """CPUs' worth of time that each cgroup around this process may take, where it is limited."""
    for group in groups_of("cpu", root):
        yield from _quota(group)


def _quota(group: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):  # ValueError: "max"
        quota, period = (group / "cpu.max").read_text().split()
        yield int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota = (group / "cpu.cfs_quota_us").read_text()
        if int(quota) > 0:  # -1: no limit
            yield int(quota) / int((group / "cpu.cfs_period_us").read_text())
