"""Splits whose pictures lie in one folder, with their classes in a file: ImageNet's validation set.

The files are those that ImageNet is passed on with: Kaggle's LOC_val_solution.csv, TensorFlow's list
of a synset a line, Caffe's `name label` lines, and the ground truth of ILSVRC's development kit.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from glore_video.data.class_folders import class_folders
from glore_video.data.class_lists import check_label
from glore_video.data.folders import LeftOut, listed, samples_below
from glore_video.data.list_files import text_lines
from glore_video.data.numbering import Numbering
from glore_video.data.pictures.imagenet_classes import are_synsets, imagenet_synsets
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.samples import SampleList
from glore_video.errors import MissingFileError, UsageError

GROUND_TRUTHS = (
    "LOC_{split}_solution.csv",
    "{split}.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "ILSVRC2012_validation_ground_truth.txt",
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
)
"""Where they are looked for: in the data folder, and in the split's own."""
_KEY = "DATA.VAL_LABELS_PATH"


def is_flat(root: Path, split: str) -> bool:
    """Whether pictures lie in the split's folder itself, and no class folders."""
    folder = root / split
    if not folder.is_dir() or class_folders(PICTURES, folder):
        return False
    return next(samples_below(PICTURES, folder), None) is not None


def load_flat(
    root: Path, split: str, *, num_classes: int, numbering: Numbering, labels_file: str = ""
) -> SampleList:
    """The pictures of a split's folder, sorted, with the classes that a ground-truth file gives them.

    Args:
        labels_file: that file; by default the first of GROUND_TRUTHS that is there.

    Raises UsageError that names DATA.VAL_LABELS_PATH: there is no such file, it can't be read, or
    it does not give each picture one class.
    """
    folder = root / split
    left_out = LeftOut()
    paths = list(samples_below(PICTURES, folder, left_out))
    file = _ground_truth(root, split, labels_file)
    names = [os.path.basename(path) for path in paths]
    told = _read(file, names)
    if missing := [name for name in names if _stem(name) not in told]:
        raise UsageError(
            f"{file}: no class for {len(missing)} of the {len(names)} pictures in {folder}, "
            f"{missing[0]} for one ({_KEY})"
        )
    labels = [
        _label(told[_stem(name)], numbering, num_classes, f"{file}: {name}") for name in names
    ]
    notes = list(left_out.notes(folder))
    if surplus := len(told) - len({_stem(name) for name in names}):
        notes.append(f"{file}: {surplus} pictures that it names are not in {folder}")
    return SampleList(folder, paths, labels, notes=notes)


def _ground_truth(root: Path, split: str, given: str) -> Path:
    if given:
        if not Path(given).is_file():
            raise MissingFileError(f"{_KEY} = {given}: no such file")
        return Path(given)
    for name in GROUND_TRUTHS:
        for place in (root, root / split):
            file = place / name.format(split=split)
            if file.is_file():
                return file
    looked_for = ", ".join(name.format(split=split) for name in GROUND_TRUTHS)
    raise MissingFileError(
        f"{root / split}: its pictures lie in no class folders, and no file tells their classes; "
        f"looked for in {root}: {looked_for}; {_KEY} names another file (a line for each picture: "
        "`name label`, `name,synset`, or a synset a line in the order of the names)"
    )


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0]


_Class = int | str
"""A label, or a synset id."""


def _read(file: Path, names: list[str]) -> Mapping[str, _Class]:
    """Stem of a picture's name -> its class, as the file has it."""
    lines = [line for _, line in text_lines(file)]
    if not lines:
        raise UsageError(f"{file}: it is empty ({_KEY})")
    if file.suffix.lower() == ".csv":
        return _comma_separated(file)
    if are_synsets(lines):
        return _in_order(file, names, lines, str)
    if all(line.isdigit() for line in lines):
        synsets = _devkit_synsets(file)
        return _in_order(file, names, lines, lambda line: _of_devkit(line, synsets, file))
    told: dict[str, _Class] = {}
    for number, line in text_lines(file):
        name, _, word = line.replace("\t", " ").rpartition(" ")
        if not name or not (word.isdigit() or are_synsets([word])):
            raise UsageError(
                f"{file}:{number}: {line!r}: a picture's name and its label or synset are expected, "
                f"or a synset alone ({_KEY})"
            )
        told[_stem(name.strip())] = int(word) if word.isdigit() else word
    return told


def _comma_separated(file: Path) -> dict[str, _Class]:
    """Kaggle's: a header, then `name,synset box synset box ...`."""
    told: dict[str, _Class] = {}
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as opened:
        for number, row in enumerate(csv.reader(opened), start=1):
            if not row or (number == 1 and not are_synsets(row[-1].split()[:1])):
                continue
            synset = row[-1].split()[:1]
            if len(row) != 2 or not are_synsets(synset):
                raise UsageError(
                    f"{file}:{number}: {','.join(row)[:80]!r}: a picture's name and a synset are "
                    f"expected ({_KEY})"
                )
            told[_stem(row[0])] = synset[0]
    return told


def _in_order(
    file: Path, names: list[str], lines: list[str], class_of: Callable[[str], str]
) -> dict[str, _Class]:
    """Of a file that gives classes in the order of the pictures' names."""
    if len(lines) != len(names):
        raise UsageError(
            f"{file}: {len(lines)} classes, a line each, but there are {len(names)} pictures ({_KEY})"
        )
    return {_stem(name): class_of(line) for name, line in zip(sorted(names), lines, strict=True)}


def _devkit_synsets(file: Path) -> Mapping[int, str]:
    """ILSVRC's own number of a class -> its synset: of meta.mat beside the ground truth."""
    meta = file.with_name("meta.mat")
    advice = f"a file with labels or synsets will do as well ({_KEY})"
    if not meta.is_file():
        raise MissingFileError(
            f"{file}: it numbers classes as ILSVRC's development kit does, and {meta} which names "
            f"them is not there; {advice}"
        )
    try:
        loadmat = import_module("scipy.io").loadmat
    except ImportError:
        raise UsageError(f"{meta}: pip install scipy reads it; {advice}") from None
    try:
        synsets: Any = loadmat(meta, squeeze_me=True)["synsets"]
        return {int(each[0]): str(each[1]) for each in synsets}
    except Exception as error:  # scipy's own errors have no common class
        raise UsageError(f"{meta}: can't be read: {error}; {advice}") from None


def _of_devkit(line: str, synsets: Mapping[int, str], file: Path) -> str:
    if int(line) not in synsets:
        raise UsageError(f"{file}: there is no class number {line} in meta.mat ({_KEY})")
    return synsets[int(line)]


def _label(told: _Class, numbering: Numbering, num_classes: int, where: str) -> int:
    if isinstance(told, int):
        check_label(told, num_classes, where)
        return told
    labels = numbering.labels
    if told not in labels and not labels and num_classes == len(imagenet_synsets()):
        labels = {synset: label for label, synset in enumerate(imagenet_synsets())}
    if told not in labels:
        raise UsageError(
            f"{where}: class {told}, which is not among {listed(list(labels)) or 'none'} of "
            f"{numbering.source} ({_KEY})"
        )
    check_label(labels[told], num_classes, where)
    return labels[told]
