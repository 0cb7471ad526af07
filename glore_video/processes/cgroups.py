"""Control groups around this process: what containers and schedulers limit, in versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def groups_of(controller: str, root: Path) -> Iterator[Path]:
    """Folders of the groups around this process that may limit something, each once.

    Args:
        controller: of version 1, such as "cpu" or "memory"; version 2 has one folder for all.
        root: where /proc and /sys are looked for.
    """
    mounts = root / "sys/fs/cgroup"
    found: dict[Path, None] = {}
    for controllers, path in _memberships(root / "proc/self/cgroup"):
        if controllers == [""]:  # version 2, alone or beside version 1
            folders = [mounts, mounts / "unified"]
        elif controller in controllers:
            folders = [mounts / ",".join(controllers), mounts / controller]
        else:
            continue
        # In a container the path may be the host's, of which only the root is to be seen.
        groups = [path, *path.parents]
        found.update(dict.fromkeys(folder / each for folder in folders for each in groups))
    yield from found


def _memberships(file: Path) -> Iterator[tuple[list[str], Path]]:
    """(controllers, path below the mount) of the cgroups of this process."""
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            _, controllers, path = line.split(":", 2)
            yield controllers.split(","), Path(path.lstrip("/"))
