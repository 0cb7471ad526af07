"""What a check looks at: the samples of a list or folder, with their labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glore_video.data import numbering
from glore_video.data.class_folders import class_folders, class_samples
from glore_video.data.folders import LeftOut, listed, subfolders
from glore_video.data.list_files import OneLabel
from glore_video.data.sample_kind import SampleKind
from glore_video.data.told_labels import finder
from glore_video.errors import MissingFileError, UsageError


@dataclass(frozen=True)
class Listing:
    """Samples to check.

    Attributes:
        samples: (path, label) as a manifest holds them; label -1 if there is none.
        base: folder that relative paths start from.
        notes: what was passed over, and who numbers the classes, a line each.
    """

    samples: tuple[tuple[str, int], ...]
    base: Path
    notes: tuple[str, ...] = ()

    def file(self, path: str) -> str:
        return os.path.join(self.base, path)


def list_samples(
    kind: SampleKind,
    source: Path,
    manifest: Path,
    *,
    prefix: str = "",
    separator: str = " ",
    like: Path | None = None,
) -> Listing:
    """The samples of a list, a manifest, a folder of class folders or a folder of samples.

    Paths become relative to `prefix`, or to the manifest's folder if that is empty, where the
    samples lie below it, and absolute elsewhere: training finds them with the same DATA.PATH_PREFIX.

    Args:
        like: whose labels class folders have, see `numbering.like`. By default folders train, val and
            test have those of the data folder that they lie in, others those of the order of their names.

    Raises:
        FileNotFoundError: there is no such source.
        UsageError: there is nothing to check, a sample has two labels, or class folders of another
            name than a split's may be numbered in more than one way.
    """
    base = Path(os.path.abspath(prefix or manifest.parent))
    notes: tuple[str, ...] = ()
    if source.is_dir():
        found, notes = _of_folder(kind, source, like, separator)
    elif like is not None:
        raise UsageError(f"--like {like}: {source} is no folder; a list says its labels itself")
    elif source.is_file():
        origin = os.path.abspath(prefix or source.parent)
        found = [
            (os.path.join(origin, path), label) for path, label in _of_file(kind, source, separator)
        ]
        notes = _of_repeated(kind, source, found)
    else:
        raise MissingFileError(f"{source}: no such list or folder")
    if not found:
        raise UsageError("; ".join((f"{source}: no {kind.words} in it", *notes)))
    return Listing(tuple((_below(base, path), label) for path, label in found), base, notes)


def _of_file(kind: SampleKind, source: Path, separator: str) -> list[tuple[str, int]]:
    found = []
    one_label = OneLabel(source, kind.word)
    for line, path, label in kind.read_list(source, separator):
        one_label.add(path, label, line)
        found.append((path, label))
    one_label.check()
    return found


def _of_repeated(
    kind: SampleKind, source: Path, found: Sequence[tuple[str, int]]
) -> tuple[str, ...]:
    """A line that says how many samples a list names again; none if it names each once."""
    counts = Counter(os.path.normpath(path) for path, _ in found)
    repeated = [path for path, count in counts.items() if count > 1]
    if not repeated:
        return ()
    return (
        f"{source}: {len(repeated)} {kind.words} are listed more than once, "
        f"{repeated[0]} among them",
    )


def _of_folder(
    kind: SampleKind, folder: Path, like: Path | None, separator: str
) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    """Samples and labels, and notes. Those that lie in the folder itself have no label."""
    splits = set(numbering.SPLITS).intersection(subfolders(kind, folder))
    if len(splits) > 1 or (splits and splits == set(class_folders(kind, folder))):
        raise UsageError(
            f"{folder}: holds splits, not classes: check each by itself, {folder / min(splits)} say"
        )
    left_out = LeftOut()
    classes = class_samples(kind, folder, left_out)
    left_out.forget(kind.unclassed)  # they are taken, without a label
    labels: dict[str, int] = {}
    notes = left_out.notes(folder)
    if like is not None and not classes:
        raise UsageError(f"--like {like}: {folder} holds no class folders that could be numbered")
    if classes:
        numbers = _numbering(kind, folder, list(classes), like, separator)
        labels = numbers.of_folders(folder, classes)
        words = sorted((label, name) for name, label in labels.items())
        notes += (
            f"labels, those of {numbers.source}: "
            + listed([f"{label} {name}" for label, name in words]),
        )
    found = [
        (os.path.abspath(path), -1)
        for name in sorted(os.listdir(folder))
        if kind.holds(path := os.path.join(folder, name)) and not os.path.isdir(path)
    ]
    for name, samples in classes.items():
        found += [(os.path.abspath(sample), labels[name]) for sample in samples]
    return found, notes


def _numbering(
    kind: SampleKind, folder: Path, classes: Sequence[str], like: Path | None, separator: str
) -> numbering.Numbering:
    """Raises UsageError where a folder beside splits has some of their classes, and not all."""
    folder = Path(os.path.abspath(folder))
    if like is not None:
        return numbering.like(kind, like, classes, separator=separator)
    own = numbering.in_order(folder, classes)
    if folder.name in numbering.SPLITS:
        return numbering.number_classes(kind, folder.parent, separator=separator)
    if not numbering.is_data_folder(folder.parent):
        return own
    others = numbering.number_classes(kind, folder.parent, separator=separator)
    find = finder(others.labels)
    common = {find(name) for name in classes} - {None}
    if not common or others.labels == own.labels:
        return own
    if common == others.labels.keys() and len(classes) == len(common):
        return others
    raise UsageError(
        f"{folder}: its classes {listed(classes)} and those of {others.source}, "
        f"{listed(list(others.labels))}, are not the same, so their labels are not known; --like "
        f"{folder.parent} takes those, --like {folder} numbers these by themselves"
    )


def _below(base: Path, path: str) -> str:
    absolute = os.path.abspath(path)
    inside = absolute.startswith(os.path.join(base, ""))
    return os.path.relpath(absolute, base) if inside else absolute
