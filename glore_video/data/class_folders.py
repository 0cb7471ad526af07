"""Class folders: the folders with samples of a split, one a class."""

from __future__ import annotations

import os
from collections.abc import Iterator

from glore_video.data.folders import LeftOut, identity, samples_below, subfolders
from glore_video.data.sample_kind import SampleKind
from glore_video.data.unicode_names import same_letters
from glore_video.errors import UsageError


def class_samples(
    kind: SampleKind, folder: str | os.PathLike[str], left_out: LeftOut | None = None
) -> dict[str, list[str]]:
    """Names of the class folders in a folder, those with a sample in or below them, and their samples."""
    left_out = LeftOut() if left_out is None else left_out
    found = {name: list(samples) for name, samples in _classes(kind, folder, left_out)}
    for name in found:
        if not found[name]:
            left_out.add(f"folders without {kind.words}", os.path.join(folder, name))
    return {name: samples for name, samples in found.items() if samples}


def class_folders(kind: SampleKind, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Sorted names of the class folders in a folder, see `class_samples`; looks for one sample each."""
    return tuple(
        name for name, samples in _classes(kind, folder, None) if next(samples, None) is not None
    )


def empty_folders(kind: SampleKind, folder: str | os.PathLike[str]) -> list[str]:
    """Those that are no class folders for want of samples, each with what it holds instead."""
    found = []
    for name in subfolders(kind, folder):
        left_out = LeftOut()
        if next(samples_below(kind, os.path.join(folder, name), left_out), None) is None:
            found.append(f"{name} ({left_out.counts() or 'empty'})")
    return found


def _classes(
    kind: SampleKind, folder: str | os.PathLike[str], left_out: LeftOut | None
) -> Iterator[tuple[str, Iterator[str]]]:
    """Names of the folders in a folder, and the samples of each; those of one class in no other.

    Raises UsageError for two names of one folder, or two that look alike.
    """
    folder = os.fspath(folder)
    names = subfolders(kind, folder, left_out)
    by_form: dict[str, str] = {}
    by_identity: dict[tuple[int, int], str] = {}
    for name in names:
        other = by_form.setdefault(same_letters(name), name)
        if other != name:
            raise UsageError(
                f"{folder}: the class folders {other!a} and {name!a} bear the same name in two Unicode "
                f"forms (NFC, NFD); move the {kind.words} of both into one"
            )
        place = identity(os.path.join(folder, name))
        other = name if place is None else by_identity.setdefault(place, name)
        if other != name:
            raise UsageError(
                f"{folder}: the class folders {other} and {name} are one and the same, by a link: "
                f"each of its {kind.words} would have two labels"
            )
    for name in names:
        yield name, samples_below(kind, os.path.join(folder, name), left_out, taken=by_identity)
