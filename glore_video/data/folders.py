"""Samples in folders, through links too: not what systems and programs leave there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from glore_video.data.sample_kind import SampleKind
from glore_video.data.system_files import is_hidden

HIDDEN = "hidden or of a system"
EMPTY = "empty folders"
LINK_BACK = "links back to a folder they lie in"


class LeftOut:
    """What a search for samples passed over, counted by kind, with the first of each kind."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}  # kind -> count, first path

    def add(self, kind: str, path: str) -> None:
        count, first = self._found.get(kind, (0, path))
        self._found[kind] = (count + 1, first)

    def forget(self, kind: str) -> None:
        self._found.pop(kind, None)

    def unreadable(self, error: OSError) -> None:
        """For os.walk's onerror."""
        self.add(f"folders that can't be read ({error.strerror})", str(error.filename))

    def notes(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """A line that counts and names it all; none if nothing was passed over."""
        parts = [
            f"{kind} ({count}: {os.path.relpath(first, folder)}{', ...' if count > 1 else ''})"
            for kind, (count, first) in self._found.items()
        ]
        return (f"{os.fspath(folder)}: not taken: {', '.join(parts)}",) if parts else ()

    def counts(self) -> str:
        """Without names and empty folders, the most frequent first."""
        found = sorted(self._found.items(), key=lambda item: -item[1][0])
        return ", ".join(f"{count} {kind}" for kind, (count, _) in found[:3] if kind != EMPTY)


def samples_below(
    kind: SampleKind,
    folder: str | os.PathLike[str],
    left_out: LeftOut | None = None,
    *,
    taken: Collection[tuple[int, int]] = (),
) -> Iterator[str]:
    """Paths of the samples in a folder and below it, those of one folder before those below it, sorted.

    Links to folders are followed after all else. No folder is entered twice, by whatever ways it is
    reached, nor is one that holds the link to it.

    Args:
        left_out: to be told what is passed over.
        taken: device and inode of folders that are not to be entered below this one.
    """
    left_out = LeftOut() if left_out is None else left_out
    entered = set(taken) - {identity(folder)}
    starts = [os.fspath(folder)]
    for start in starts:
        for parent, folders, names in os.walk(start, onerror=left_out.unreadable):
            here = identity(parent)
            if here in entered:
                left_out.add("second ways to a folder", parent)
                folders.clear()
                continue
            if here is not None:
                entered.add(here)
            if not folders and not names:
                left_out.add(EMPTY, parent)
            folders[:] = _to_enter(parent, folders, starts, left_out)
            for name in sorted(names):
                path = os.path.join(parent, name)
                if kind.holds(path):
                    yield path
                else:
                    left_out.add(_what(path), path)


def _to_enter(parent: str, names: list[str], links: list[str], left_out: LeftOut) -> list[str]:
    """Sorted names of the folders in a folder that are to be entered; links join the others."""
    inside = []
    for name in sorted(names):
        path = os.path.join(parent, name)
        if is_hidden(name):
            left_out.add(HIDDEN, path)
        elif not os.path.islink(path):
            inside.append(name)
        elif _leads_back(path):
            left_out.add(LINK_BACK, path)
        else:
            links.append(path)
    return inside


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Device and inode, the same for all ways to a file or folder; None if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _leads_back(link: str) -> bool:
    here, there = os.path.realpath(os.path.dirname(link)), os.path.realpath(link)
    return os.path.join(here, "").startswith(os.path.join(there, ""))


def _what(path: str) -> str:
    """What a file is that is no sample, in words."""
    if is_hidden(os.path.basename(path)):
        return HIDDEN
    if os.path.islink(path) and not os.path.exists(path):
        return "links that lead nowhere"
    return os.path.splitext(path)[1].lower() or "no suffix"


def subfolders(
    kind: SampleKind, folder: str | os.PathLike[str], left_out: LeftOut | None = None
) -> list[str]:
    """Sorted names of the folders in a folder that somebody put there, links to others included.

    Args:
        left_out: to be told what else lies there, files that are samples included.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries if left_out is None else sorted(entries, key=lambda each: each.name):
            # entry.is_dir() raises for a link that leads to itself.
            is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
            if is_folder and not is_hidden(entry.name) and not _is_link_back(entry):
                names.append(entry.name)
            elif left_out is not None:
                left_out.add(_beside_classes(kind, entry, is_folder), entry.path)
    return sorted(names)


def _is_link_back(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and _leads_back(entry.path)


def _beside_classes(kind: SampleKind, entry: os.DirEntry[str], is_folder: bool) -> str:
    if is_folder:
        return HIDDEN if is_hidden(entry.name) else LINK_BACK
    return kind.unclassed if kind.holds(entry.path) else _what(entry.path)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a sentence, of many only the first ones."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
