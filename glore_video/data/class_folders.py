"""Class folders: the folders with videos of a split, one a class."""

from __future__ import annotations

import os
from collections.abc import Iterator

from glore_video.data.folders import LeftOut, identity, subfolders, videos_below
from glore_video.data.unicode_names import same_letters
from glore_video.errors import UsageError


def class_videos(
    folder: str | os.PathLike[str], left_out: LeftOut | None = None
) -> dict[str, list[str]]:
    """Names of the class folders in a folder, those with a video in or below them, and their videos."""
    left_out = LeftOut() if left_out is None else left_out
    found = {name: list(videos) for name, videos in _classes(folder, left_out)}
    for name in found:
        if not found[name]:
            left_out.add("folders without videos", os.path.join(folder, name))
    return {name: videos for name, videos in found.items() if videos}


def class_folders(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Sorted names of the class folders in a folder, see `class_videos`; looks for one video each."""
    return tuple(name for name, videos in _classes(folder, None) if next(videos, None) is not None)


def empty_folders(folder: str | os.PathLike[str]) -> list[str]:
    """Those that are no class folders for want of videos, each with what it holds instead."""
    found = []
    for name in subfolders(folder):
        left_out = LeftOut()
        if next(videos_below(os.path.join(folder, name), left_out), None) is None:
            found.append(f"{name} ({left_out.counts() or 'empty'})")
    return found


def _classes(
    folder: str | os.PathLike[str], left_out: LeftOut | None
) -> Iterator[tuple[str, Iterator[str]]]:
    """Names of the folders in a folder, and the videos of each; those of one class in no other.

    Raises UsageError for two names of one folder, or two that look alike.
    """
    folder = os.fspath(folder)
    names = subfolders(folder, left_out)
    by_form: dict[str, str] = {}
    by_identity: dict[tuple[int, int], str] = {}
    for name in names:
        other = by_form.setdefault(same_letters(name), name)
        if other != name:
            raise UsageError(
                f"{folder}: the class folders {other!a} and {name!a} bear the same name in two Unicode "
                "forms (NFC, NFD); move the videos of both into one"
            )
        place = identity(os.path.join(folder, name))
        other = name if place is None else by_identity.setdefault(place, name)
        if other != name:
            raise UsageError(
                f"{folder}: the class folders {other} and {name} are one and the same, by a link: "
                "each of its videos would have two labels"
            )
    for name in names:
        yield name, videos_below(os.path.join(folder, name), left_out, taken=by_identity)
