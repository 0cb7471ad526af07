"""What lists tell of classes: the labels of the folders that their samples lie in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glore_video.data.unicode_names import same_letters
from glore_video.errors import UsageError


@dataclass(frozen=True)
class Told:
    """What a list, or a file of names, tells.

    Attributes:
        source: that file.
        labels: of classes by name; empty if it does not tell.
        reason: why it does not.
        given: all labels that it gives, of whatever classes.
        has_labels: whether it gives any.
    """

    source: str
    labels: Mapping[str, int]
    reason: str = ""
    given: frozenset[int] = frozenset()
    has_labels: bool = True


def told_by(
    file: Path,
    known: Sequence[str],
    separator: str,
    *,
    read: Callable[[Path, str], Iterable[tuple[int, str, int]]],
    words: str,
) -> Told:
    """Which of the known classes has which label, by the folders that a list's samples lie in.

    Where no classes are known, each folder with samples is taken for one.

    Args:
        read: line number, path and label of each line of a list, by the list and its separator.
        words: for the samples, in the reasons.
    """
    find = finder(known)
    try:
        # Each folder that samples of the list lie in, and each label that they have.
        places = sorted(
            {
                (os.path.dirname(path), label)
                for _, path, label in read(file, separator)
                if label >= 0
            }
        )
    except UsageError as error:
        return Told(str(file), {}, str(error), has_labels=False)  # who needs the list is told so
    if not places:
        return Told(str(file), {}, "it gives no labels", has_labels=False)
    given = frozenset(label for _, label in places)
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
            reason = f"labels {labels[name]} and {label} are given to {words} of {name}"
            return Told(str(file), {}, reason, given)
        if names.setdefault(label, name) != name:
            reason = f"label {label} is given to {words} of {names[label]} and of {name}"
            return Told(str(file), {}, reason, given)
    if not known and len(labels) < 2:
        return Told(str(file), {}, f"its {words} lie in one folder", given)
    reason = "" if labels else "no folder in its paths bears a class' name"
    return Told(str(file), labels, reason, given)


def agree(told: Sequence[Told], *, one_class: bool = False) -> dict[str, int]:
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
