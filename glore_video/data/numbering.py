"""Class numbering: which class bears which label, one for all splits of a data folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glore_video.data.class_folders import class_folders
from glore_video.data.folders import listed
from glore_video.data.list_files import text_lines
from glore_video.data.sample_kind import SampleKind
from glore_video.data.told_labels import Told, agree, finder
from glore_video.data.unicode_names import same_letters
from glore_video.errors import MissingFileError, UsageError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Numbering:
    """Classes and their labels.

    Attributes:
        source: the file or folder that says so.
        names: by label; empty if not all are known.
        labels: of class folders, by the name of their class.
        by_order: whether classes are numbered in the order of their folders' names.
        problem: why class folders have no labels; empty if they have.
    """

    source: str
    names: tuple[str, ...]
    labels: Mapping[str, int]
    by_order: bool = False
    problem: str = ""

    def of_folders(self, folder: Path, names: Iterable[str]) -> dict[str, int]:
        """Labels of class folders of these names in a folder.

        Raises UsageError if one has none.
        """
        if self.problem:
            raise UsageError(f"{folder}: {self.problem}")
        find = finder(self.labels)
        found = {name: find(name) for name in names}
        if unknown := [name for name, known in found.items() if known is None]:
            raise UsageError(
                f"{folder}: {listed(unknown)}: not among the classes of {self.source}, "
                f"{listed(list(self.labels))}"
            )
        return {name: self.labels[known] for name, known in found.items() if known is not None}


def in_order(folder: Path, names: Sequence[str]) -> Numbering:
    """Class folders numbered in the order of their names."""
    plain = tuple(same_letters(name) for name in names)
    return Numbering(
        str(folder), plain, {name: label for label, name in enumerate(plain)}, by_order=True
    )


def list_of(root: Path, split: str) -> Path | None:
    """The list of a split: `<split>.csv`, or a manifest that stands alone; None for class folders."""
    file = root / f"{split}.csv"
    if file.is_file():
        return file
    manifest = manifest_beside(root, split)
    return manifest if manifest.is_file() and not (root / split).is_dir() else None


def manifest_beside(root: Path, split: str) -> Path:
    """Where glore-video check-data writes what it found of a split's list or class folders."""
    return root / f"{split}.manifest.csv"


def number_classes(
    kind: SampleKind,
    root: Path,
    *,
    names_file: str | Path = "",
    num_classes: int | None = None,
    separator: str = " ",
) -> Numbering:
    """The one numbering of a data folder, from all that is in it.

    Who comes first decides: `names_file`, or class_names.txt in the folder; its lists, where the
    folders in their paths bear the names of class folders; the order of the names in train/, or else
    val/ or test/. Names of which no class folder bears one are for people only.

    Raises UsageError where these contradict each other, or names are not num_classes.
    Where lists do not tell which class a label is, class folders have no labels: see
    `Numbering.problem`.
    """
    folders = {
        split: class_folders(kind, root / split) for split in SPLITS if (root / split).is_dir()
    }
    lists = [file for split in SPLITS if (file := list_of(root, split)) is not None]
    wanted = {split: found for split, found in folders.items() if list_of(root, split) is None}
    own = Path(names_file) if names_file else root / "class_names.txt"
    names = read_names(own, num_classes) if names_file or own.is_file() else ()
    if names:
        told = [kind.tell(file, names, separator) for file in lists]
        agree([Told(str(own), {name: label for label, name in enumerate(names)}), *told])
        if not any(wanted.values()) or any(finder(names)(each) for each in _all(wanted)):
            return _by_names(own, names, root, wanted)
    first = next(iter(folders), "")
    order = in_order(root / first, folders.get(first, ()))
    known = list(dict.fromkeys(same_letters(name) for name in _all(folders)))
    told = [kind.tell(file, known, separator) for file in lists]
    told = [each for each in told if each.has_labels]
    numbering = _by_lists(kind, root, told, known, _all(wanted), order) if told else order
    return replace(numbering, names=names) if names else numbering


def read_names(path: Path, num_classes: int | None = None) -> tuple[str, ...]:
    """Class names by label, a line each, as lists are read.

    Raises MissingFileError if there is no such file, UsageError if it has not num_classes names.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file (DATA.CLASS_NAMES_PATH)")
    names = tuple(same_letters(line) for _, line in text_lines(path))
    if num_classes not in (None, len(names)):
        raise UsageError(f"{path}: {len(names)} names, but MODEL.NUM_CLASSES = {num_classes}")
    return names


def like(
    kind: SampleKind, source: Path, classes: Sequence[str], *, separator: str = " "
) -> Numbering:
    """The numbering that a file or folder has for these class folders.

    Args:
        source: class folders, a folder of splits, a list or manifest, or a .txt with a name a line.
    """
    if source.is_dir():
        return of_folder(kind, source)
    if source.suffix.lower() == ".txt":
        names = read_names(source)
        return Numbering(str(source), names, {name: label for label, name in enumerate(names)})
    if not source.is_file():
        raise MissingFileError(f"{source}: no such list or folder")
    told = kind.tell(source, classes, separator)
    problem = "" if told.labels else f"{source} does not tell the labels of classes: {told.reason}"
    return Numbering(str(source), (), told.labels, problem=problem)


def of_folder(kind: SampleKind, folder: Path) -> Numbering:
    """The numbering of class folders by themselves, or as the splits of a data folder."""
    folder = Path(os.path.abspath(folder))
    if folder.name in SPLITS:
        return number_classes(kind, folder.parent)
    if is_data_folder(folder):
        return number_classes(kind, folder)
    return in_order(folder, class_folders(kind, folder))


def is_data_folder(folder: Path) -> bool:
    """Whether it holds a split, as a list or as class folders, or class names."""
    return (folder / "class_names.txt").is_file() or any(
        list_of(folder, split) is not None or (folder / split).is_dir() for split in SPLITS
    )


def _all(folders: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in folders.values() for name in names))


def _by_names(
    file: Path, names: Sequence[str], root: Path, wanted: Mapping[str, Sequence[str]]
) -> Numbering:
    numbering = Numbering(
        str(file), tuple(names), {name: label for label, name in enumerate(names)}
    )
    counts = Counter(names)
    for split, folders in wanted.items():
        for name in numbering.of_folders(root / split, folders):
            if counts[finder(names)(name) or name] > 1:
                raise UsageError(
                    f"{file}: {name!r} stands there more than once: which label has it?"
                )
    return numbering


def _by_lists(
    kind: SampleKind,
    root: Path,
    told: Sequence[Told],
    known: Sequence[str],
    wanted: Sequence[str],
    order: Numbering,
) -> Numbering:
    """The numbering that lists tell; the order of names if they agree with it and tell not all.

    Args:
        known: all classes that there are folders of.
        wanted: class folders that need labels.
    """
    labels = agree(told, one_class=bool(known))
    source = " and ".join(each.source for each in told if each.labels) or str(root)
    if not known:
        return Numbering(source, (), {})
    by_label = dict(sorted((label, name) for name, label in labels.items()))
    whole = list(by_label) == list(range(len(by_label)))
    whole = whole and all(each.given <= by_label.keys() for each in told)
    numbering = Numbering(source, tuple(by_label.values()) if whole else (), labels)
    find = finder(labels)
    lacking = [name for name in wanted if not find(name)]
    if not lacking:
        return numbering
    if labels and all(order.labels.get(name) == label for name, label in labels.items()):
        return order
    reasons = [f"{each.source}: {each.reason}" for each in told if each.reason]
    problem = (
        "lists beside it give labels, and nothing tells those of its classes "
        f"({'; '.join(reasons) or f'{source} lists no {kind.words} of {listed(lacking)}'}); write "
        f"{root / 'class_names.txt'}, a class a line, that of label 0 first"
    )
    return replace(numbering, problem=problem)
