"""List files and class folders -> samples with labels. Errors name the file and the line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from glore_video.data.class_folders import class_folders, class_samples, empty_folders
from glore_video.data.folders import LeftOut, listed
from glore_video.data.list_files import OneLabel
from glore_video.data.numbering import SPLITS, Numbering, list_of, number_classes, read_names
from glore_video.data.sample_kind import SampleKind
from glore_video.data.samples import SampleList
from glore_video.data.unicode_names import other_form, same_letters
from glore_video.errors import MissingFileError, UsageError


def load_split(
    kind: SampleKind,
    folder: str | Path,
    split: str,
    *,
    num_classes: int,
    prefix: str | Path = "",
    separator: str = " ",
    numbering: Numbering | None = None,
) -> SampleList:
    """The samples of one split: `<split>.csv` in the folder, or a folder `<split>` of class folders.

    A list holds lines `path label` (split at the last separator). Relative paths start from
    `prefix`, or from the list's folder if that is empty.

    Args:
        numbering: labels of class folders; by default those of `number_classes`.

    Raises:
        FileNotFoundError: there is no list and no folder, or none of the first samples exists.
        UsageError: a line can't be read, a label is not in 0 .. num_classes - 1, nothing is listed,
            a sample has two labels, or nothing tells the labels of class folders.
    """
    samples = read_split(
        kind,
        folder,
        split,
        num_classes=num_classes,
        prefix=prefix,
        separator=separator,
        numbering=numbering,
    )
    check_not_empty(kind, samples)
    if list_of(Path(folder), split) is not None:
        check_some_exist(kind, samples, bool(prefix))
    return samples


def read_split(
    kind: SampleKind,
    folder: str | Path,
    split: str,
    *,
    num_classes: int,
    prefix: str | Path,
    separator: str,
    numbering: Numbering | None,
) -> SampleList:
    """What `load_split` gives, but it may be empty, and no file need be there."""
    folder = Path(folder)
    list_file = list_of(folder, split)
    if list_file is not None:
        return _read_list(kind, list_file, Path(prefix or folder), separator, num_classes)
    if not (folder / split).is_dir():
        raise MissingFileError(
            f"{folder / split}.csv: no such list (DATA.PATH_TO_DATA_DIR = {folder}); it needs lines "
            f"such as `{kind.example} 12`, a path and a label from 0 to {num_classes - 1}, or instead "
            f"of it a folder {folder / split} with a folder of {kind.words} for each class"
        )
    numbering = numbering or number_classes(
        kind, folder, num_classes=num_classes, separator=separator
    )
    return _read_class_folders(kind, folder, split, num_classes, numbering)


def load_class_names(
    kind: SampleKind,
    folder: str | Path,
    *,
    num_classes: int,
    file: str | Path = "",
    separator: str = " ",
) -> tuple[str, ...]:
    """Names by label, from: `file`; class_names.txt in the folder; its class folders.

    Where none of them fits, classes bear the usual names of the kind.

    Args:
        folder: of the lists or class folders; empty: there is none.

    Raises:
        FileNotFoundError: `file` is given and missing.
        UsageError: it has not num_classes lines, or what is in the folder contradicts itself.
    """
    if not folder:
        return read_names(Path(file), num_classes) if file else kind.usual_names(num_classes)
    numbering = number_classes(
        kind, Path(folder), names_file=file, num_classes=num_classes, separator=separator
    )
    return names_of(kind, numbering, num_classes)


def names_of(kind: SampleKind, numbering: Numbering, num_classes: int) -> tuple[str, ...]:
    """Names by label: those of a numbering that has so many, else the usual ones of the kind."""
    fit = len(numbering.names) == num_classes
    return numbering.names if fit else kind.usual_names(num_classes)


def _read_list(
    kind: SampleKind, path: Path, prefix: Path, separator: str, num_classes: int
) -> SampleList:
    paths, labels = [], []
    one_label = OneLabel(path, kind.word)
    for line, name, label in kind.read_list(path, separator):
        check_label(label, num_classes, f"{path}:{line}")
        one_label.add(name, label, line)
        paths.append(os.path.join(prefix, name))
        labels.append(label)
    one_label.check()
    return SampleList(path, paths, labels)


def check_label(label: int, num_classes: int, where: str) -> None:
    """Raises UsageError for a label that is not in 0 .. num_classes - 1."""
    if not 0 <= label < num_classes:
        raise UsageError(
            f"{where}: label {label} is not in 0 .. {num_classes - 1} "
            f"(MODEL.NUM_CLASSES = {num_classes})"
        )


def _read_class_folders(
    kind: SampleKind, root: Path, split: str, num_classes: int, numbering: Numbering
) -> SampleList:
    folder = root / split
    left_out = LeftOut()
    samples = class_samples(kind, folder, left_out)
    names = list(numbering.labels)
    if not samples:
        differences = _differences(kind, root, names)
        raise UsageError(f"{folder}: no {kind.words} in it or below it{differences}")
    if numbering.by_order and len(names) != num_classes:
        raise UsageError(
            f"{numbering.source}: {len(names)} class folders, but MODEL.NUM_CLASSES = {num_classes}: "
            f"{listed(names) or f'none with a {kind.word}'}{_differences(kind, root, names)}"
        )
    label_of = numbering.of_folders(folder, samples)
    paths, labels = [], []
    for name, found in samples.items():
        check_label(label_of[name], num_classes, f"{folder / name} ({numbering.source})")
        paths += found
        labels += [label_of[name]] * len(found)
    notes = list(left_out.notes(folder))
    there = set(label_of.values())
    if lacking := [name for name, label in numbering.labels.items() if label not in there]:
        notes.append(f"{folder}: no {kind.words} of {listed(lacking)}")
    return SampleList(folder, paths, labels, notes=notes)


def _differences(kind: SampleKind, root: Path, names: Sequence[str]) -> str:
    """What else there is that may explain a number of classes, for the end of a message."""
    parts = []
    for split in SPLITS:
        if (root / split).is_dir():
            if empty := empty_folders(kind, root / split):
                parts.append(f"in {split}/ there are no {kind.words} in {listed(empty)}")
            others = {same_letters(name) for name in class_folders(kind, root / split)}
            if surplus := sorted(others - set(names)):
                parts.append(f"{split}/ has {listed(surplus)} as well")
            if missing := sorted(set(names) - others):
                parts.append(f"{split}/ lacks {listed(missing)}")
    return "".join(f"; {part}" for part in parts)


def check_not_empty(kind: SampleKind, samples: SampleList) -> None:
    """Raises UsageError for a list without samples, or of which all were left out."""
    if len(samples) == 0:
        if samples.left_out:
            path, reason = samples.left_out[0]
            raise UsageError(
                f"{samples.source}: none of its {len(samples.left_out)} {kind.words} can be read, for "
                f"example {path}: {reason}"
            )
        raise UsageError(f"{samples.source}: no {kind.words} in it")


def check_some_exist(
    kind: SampleKind, samples: SampleList, has_prefix: bool, among: int = 50
) -> None:
    """Raises MissingFileError if none of the first samples is a file that is there."""
    first = [samples.path(i) for i in range(min(among, len(samples)))]
    if not any(os.path.exists(path) for path in first):
        key = "DATA.PATH_PREFIX" if has_prefix else "DATA.PATH_PREFIX (empty: the list's folder)"
        raise MissingFileError(
            f"{samples.source}: none of its first {len(first)} {kind.words} exists, for example "
            f"{first[0]}{other_form(first[0])}; relative paths start from {key}"
        )
