"""Text files that hold a thing a line: lists of samples (`path label`) and class names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from glore_video.errors import UsageError


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers and contents of the lines that are not blank, without blanks around them.

    Lines end at line feeds and carriage returns alone: names may hold U+2028, U+0085 and what else
    str.splitlines splits at. A byte order mark, as Windows' editors write it, is no part of the text.

    Raises UsageError if the file is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                text = line.strip(" \t\n")
                if text:
                    yield number, text
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 ({error.reason})") from None


def read_list(path: Path, separator: str) -> Iterator[tuple[int, str, int]]:
    """Line number, path and label of each line of a list.

    Raises UsageError that names file and line for one that can't be read.
    """
    for number, line in text_lines(path):
        name, found, text = line.rpartition(separator)
        if not found or not name.strip(" \t"):
            raise UsageError(
                f"{path}:{number}: {line!r}: a path and a label with {separator!r} between them "
                "are expected (DATA.PATH_LABEL_SEPARATOR)"
            )
        try:
            label = int(text)
        except ValueError:
            raise UsageError(
                f"{path}:{number}: label {text!r} is not a whole number (after the last "
                f"{separator!r}, DATA.PATH_LABEL_SEPARATOR)"
            ) from None
        yield number, name.strip(" \t"), label


class OneLabel:
    """Makes sure that a list gives a sample one label, however often it lists it.

    Args:
        source: the list.
        word: for a sample, in the error.
    """

    def __init__(self, source: Path, word: str) -> None:
        self._source = source
        self._word = word
        self._first: dict[str, tuple[int | str, int]] = {}  # path -> label and line
        self._others: list[tuple[str, int | str, int]] = []

    def add(self, path: str, label: int | str, line: int) -> None:
        first = self._first.setdefault(os.path.normpath(path), (label, line))
        if first[0] != label:
            self._others.append((path, label, line))

    def check(self) -> None:
        """Raises UsageError that names a sample, its labels and their lines."""
        if self._others:
            path, label, line = self._others[0]
            first, first_line = self._first[os.path.normpath(path)]
            count = len({os.path.normpath(path) for path, _, _ in self._others})
            more = "" if count == 1 else f", and {count - 1} more {self._word}s have two labels"
            raise UsageError(
                f"{self._source}: {path} has label {first!r} in line {first_line} and label {label!r} "
                f"in line {line}{more}; a {self._word} has one label"
            )
