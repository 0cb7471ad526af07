"""Class numbering: which class bears which label, one for all splits of a data folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glore_video.datasets.class_folders import class_folders
from glore_video.datasets.folders import listed
from glore_video.datasets.kinetics import is_annotation_file, kinetics400_class_names
from glore_video.datasets.list_files import read_list, text_lines
from glore_video.datasets.manifest import is_manifest, read_labels
from glore_video.datasets.unicode_names import same_letters
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
    """Where tools/check_data.py writes what it found of a split's list or class folders."""
    return root / f"{split}.manifest.csv"


def number_classes(
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

    Raises UsageError where these contradict each other, or names are not num_classes. Where lists do not tell which class a label
    is, class folders have no labels: see `Numbering.problem`.
    """
    folders = {split: class_folders(root / split) for split in SPLITS if (root / split).is_dir()}
    lists = [file for split in SPLITS if (file := list_of(root, split)) is not None]
    wanted = {split: found for split, found in folders.items() if list_of(root, split) is None}
    own = Path(names_file) if names_file else root / "class_names.txt"
    names = read_names(own, num_classes) if names_file or own.is_file() else ()
    if names:
        told = [_told_by(file, names, separator) for file in lists]
        _agree([_Told(str(own), {name: label for label, name in enumerate(names)}), *told])
        if not any(wanted.values()) or any(finder(names)(each) for each in _all(wanted)):
            return _by_names(own, names, root, wanted)
    first = next(iter(folders), "")
    order = in_order(root / first, folders.get(first, ()))
    known = list(dict.fromkeys(same_letters(name) for name in _all(folders)))
    told = [_told_by(file, known, separator) for file in lists]
    told = [each for each in told if each.has_labels]
    numbering = _by_lists(root, told, known, _all(wanted), order) if told else order
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


def like(source: Path, classes: Sequence[str], *, separator: str = " ") -> Numbering:
    """The numbering that a file or folder has for these class folders.

    Args:
        source: class folders, a folder of splits, a list or manifest, or a .txt with a name a line.
    """
    if source.is_dir():
        return of_folder(source)
    if source.suffix.lower() == ".txt":
        names = read_names(source)
        return Numbering(str(source), names, {name: label for label, name in enumerate(names)})
    if not source.is_file():
        raise MissingFileError(f"{source}: no such list or folder")
    told = _told_by(source, classes, separator)
    problem = "" if told.labels else f"{source} does not tell the labels of classes: {told.reason}"
    return Numbering(str(source), (), told.labels, problem=problem)


def of_folder(folder: Path) -> Numbering:
    """The numbering of class folders by themselves, or as the splits of a data folder."""
    folder = Path(os.path.abspath(folder))
    if folder.name in SPLITS:
        return number_classes(folder.parent)
    if is_data_folder(folder):
        return number_classes(folder)
    return in_order(folder, class_folders(folder))


def is_data_folder(folder: Path) -> bool:
    """Whether it holds a split, as a list or as class folders, or class names."""
    return (folder / "class_names.txt").is_file() or any(
        list_of(folder, split) is not None or (folder / split).is_dir() for split in SPLITS
    )


def finder(names: Iterable[str]) -> Callable[[str], str | None]:
    """Finds the one of these names that another is: in other Unicode forms, or with _ for spaces."""
    exact = {same_letters(name): name for name in names}
    spaced = Counter(name.replace("_", " ") for name in exact)
    loose = {
        words: name
        for letters, name in exact.items()
        if spaced[words := letters.replace("_", " ")] == 1
    }

    def find(name: str) -> str | None:
        letters = same_letters(name)
        return exact.get(letters) or loose.get(letters.replace("_", " "))

    return find


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
    root: Path,
    told: Sequence[_Told],
    known: Sequence[str],
    wanted: Sequence[str],
    order: Numbering,
) -> Numbering:
    """The numbering that lists tell; the order of names if they agree with it and tell not all.

    Args:
        known: all classes that there are folders of.
        wanted: class folders that need labels.
    """
    labels = _agree(told, one_class=bool(known))
    source = " and ".join(each.source for each in told if each.labels) or str(root)
    if not known:
        return Numbering(source, (), {})
    by_label = dict(sorted((label, name) for name, label in labels.items()))
    whole = list(by_label) == list(range(len(by_label)))
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
        f"({'; '.join(reasons) or f'{source} lists no videos of {listed(lacking)}'}); write "
        f"{root / 'class_names.txt'}, a class a line, that of label 0 first"
    )
    return replace(numbering, problem=problem)


@dataclass(frozen=True)
class _Told:
    """What a list tells: labels of classes, or why it tells none."""

    source: str
    labels: Mapping[str, int]
    reason: str = ""
    has_labels: bool = True


def _told_by(file: Path, known: Sequence[str], separator: str) -> _Told:
    """Which of the known classes has which label, by the folders that a list's videos lie in.

    Where no classes are known, each folder with videos is taken for one.
    """
    find = finder(known)
    if is_annotation_file(file):
        kinetics = {name: label for label, name in enumerate(kinetics400_class_names())}
        in_kinetics = finder(kinetics)
        labels = {name: kinetics[same] for name in known if (same := in_kinetics(name))}
        return _Told(str(file), labels, "" if labels else "its classes are Kinetics-400's")
    try:
        if is_manifest(file):
            rows = read_labels(file)
        else:
            rows = ((path, label) for _, path, label in read_list(file, separator))
        places = sorted({(os.path.dirname(path), label) for path, label in rows if label >= 0})
    except UsageError as error:
        return _Told(str(file), {}, str(error), has_labels=False)  # who needs the list is told so
    labels: dict[str, int] = {}
    names: dict[int, str] = {}
    for folder, label in places:
        parts = reversed(folder.replace(os.sep, "/").split("/"))
        name = next((each for part in parts if (each := find(part))), None)
        if not known:
            name = os.path.basename(folder)
        if not name:
            continue
        if labels.setdefault(name, label) != label:
            reason = f"labels {labels[name]} and {label} are given to videos of {name}"
            return _Told(str(file), {}, reason)
        if names.setdefault(label, name) != name:
            reason = f"label {label} is given to videos of {names[label]} and of {name}"
            return _Told(str(file), {}, reason)
    if not places:
        return _Told(str(file), {}, "it gives no labels", has_labels=False)
    if not known and len(labels) < 2:
        return _Told(str(file), {}, "its videos lie in one folder")
    return _Told(str(file), labels, "" if labels else "no folder in its paths bears a class' name")


def _agree(told: Sequence[_Told], *, one_class: bool = False) -> dict[str, int]:
    """The labels that all tell, together.

    Raises UsageError that names both where two tell another label of a class or, with one_class,
    another class of a label.
    """
    labels: dict[str, int] = {}
    names: dict[int, str] = {}
    teller: dict[str, str] = {}
    for each in told:
        for name, label in each.labels.items():
            other = name
            if labels.setdefault(name, label) == label:
                other = names.setdefault(label, name) if one_class else name
            if labels[name] != label or other != name:
                raise UsageError(
                    f"{each.source}: {name} has label {label}, but {other} has label "
                    f"{labels[other]} in {teller[other]}; a data folder needs one label a class, the "
                    "same in all lists and in class_names.txt"
                )
            teller.setdefault(name, each.source)
    return labels
