"""Memory of the machine: what this process may still take, and the most that it has had (Linux)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from glore_video.processes.cgroups import groups_of

# What version 1 says where there is no limit: more than any machine has.
_NO_LIMIT = 2**60


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that may still be taken before something is swapped out or killed; None: not known.

    The least of what the machine has and of what each cgroup (docker --memory, Slurm) still allows.
    Files that are kept in memory only to be read again count as free.

    Args:
        root: where /proc and /sys are looked for.
    """
    free = list(_left_by_groups(root))
    with suppress(OSError, ValueError):
        free.append(_kib((root / "proc/meminfo").read_text(), "MemAvailable"))
    return max(0, min(free)) if free else None


def memory_now(root: Path = Path("/")) -> int:
    """Bytes that this process has in memory. Raises OSError where the system does not tell."""
    return _kib((root / "proc/self/status").read_text(), "VmRSS")


def most_memory(root: Path = Path("/")) -> int:
    """The most that it has had since `forget_most_memory`."""
    return _kib((root / "proc/self/status").read_text(), "VmHWM")


def forget_most_memory(root: Path = Path("/")) -> None:
    """Count anew from here, where the system lets us."""
    with suppress(OSError):
        (root / "proc/self/clear_refs").write_text("5")


def _left_by_groups(root: Path) -> Iterator[int]:
    for group in groups_of("memory", root):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(OSError, ValueError):  # ValueError: "max"
                most = int((group / limit).read_text())
                if most < _NO_LIMIT:
                    yield most - int((group / usage).read_text()) + _read_again(group)


def _read_again(group: Path) -> int:
    """Bytes of files in memory that the group gives up first."""
    with suppress(OSError):
        text = (group / "memory.stat").read_text()
        for name in ("total_inactive_file", "inactive_file"):  # version 1 has both
            if found := re.search(rf"^{name} (\d+)$", text, re.MULTILINE):
                return int(found[1])
    return 0


def _kib(text: str, name: str) -> int:
    """Bytes of a line such as "VmRSS:   1808 kB"; raises ValueError if there is none."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    if not found:
        raise ValueError(name)
    return 1024 * int(found[1])
