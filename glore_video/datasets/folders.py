"""What counts as a video or a class in a folder: not what systems and programs leave there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

# Containers that every backend reads, by the suffixes of their files.
VIDEO_SUFFIXES = frozenset(
    """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .m1v .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpe
    .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .ts .vob .webm .wmv .y4m
    """.split()
)

# Of macOS' archives, Windows, Synology and QNAP stations, file systems and notebooks; names that begin
# with a dot (.DS_Store, ._clip.mp4, .ipynb_checkpoints, .Trash-1000) are hidden anyway.
_LEFT_BEHIND = frozenset(
    """
    __macosx thumbs.db ehthumbs.db desktop.ini @eadir @recycle @tmp #recycle #snapshot $recycle.bin
    recycler lost+found __pycache__
    """.split()
) | {"system volume information"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is nobody's data: hidden, or left there by a system."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def is_video(name: str) -> bool:
    """Whether a file of this name is a video that somebody put there."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES and not is_hidden(name)


def videos_below(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Paths of the videos in a folder and below it, those of one folder before those below it, sorted."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (os.path.join(parent, name) for name in sorted(names) if is_video(name))


def subfolders(folder: str | os.PathLike[str]) -> list[str]:
    """Sorted names of the folders in a folder that somebody put there."""
    with os.scandir(folder) as entries:
        return sorted(each.name for each in entries if each.is_dir() and not is_hidden(each.name))


def class_folders(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Sorted names of the class folders in a folder: those with a video in them or below them."""
    return tuple(
        name
        for name in subfolders(folder)
        if any(True for _ in videos_below(os.path.join(folder, name)))
    )


def empty_folders(folder: str | os.PathLike[str]) -> list[str]:
    """Those that are no class folders for want of videos, each with what it holds instead."""
    found = []
    for name in sorted(set(subfolders(folder)) - set(class_folders(folder))):
        kinds = Counter(
            os.path.splitext(file)[1].lower() or "no suffix"
            for _, _, files in os.walk(os.path.join(folder, name))
            for file in files
            if not is_hidden(file)
        )
        holds = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
        found.append(f"{name} ({holds or 'empty'})")
    return found


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a sentence, of many only the first ones."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
