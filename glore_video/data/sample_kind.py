"""What the samples of a data set are: videos or pictures. Everything else in lists is the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glore_video.data.list_files import read_list
from glore_video.data.system_files import is_hidden
from glore_video.data.told_labels import Told, told_by

_HEAD = 400  # bytes that tell what a file is


def _unknown_bytes(head: bytes) -> bool:
    return False


def _nothing_told(file: Path, known: Sequence[str]) -> Told | None:
    return None


def numbered_names(num_classes: int) -> tuple[str, ...]:
    """Names by label, for classes that have no other: "class 0", "class 1", ..."""
    return tuple(f"class {label}" for label in range(num_classes))


@dataclass(frozen=True)
class SampleKind:
    """Which files are samples, which lists name them, and what they are called in messages.

    Attributes:
        word: for one of them; several have an s at its end.
        example: a path, for messages.
        suffixes: of their files, in lower case, with the dot.
        begins: whether a file without a suffix is one of them, by its first 400 bytes.
        read_list: line number, path and label of each line of a list, by the list and its separator.
        told_by_names: which labels a list tells of the known classes by their names alone; None: as
            most lists, it does not.
        usual_names: names of so many classes, where nothing tells them.
    """

    word: str
    example: str
    suffixes: frozenset[str]
    begins: Callable[[bytes], bool] = _unknown_bytes
    read_list: Callable[[Path, str], Iterator[tuple[int, str, int]]] = read_list
    told_by_names: Callable[[Path, Sequence[str]], Told | None] = _nothing_told
    usual_names: Callable[[int], tuple[str, ...]] = numbered_names

    @property
    def words(self) -> str:
        return f"{self.word}s"

    @property
    def unclassed(self) -> str:
        """What is said of those that lie beside class folders."""
        return f"{self.words} in no class folder"

    def holds(self, path: str) -> bool:
        """Whether a file is one that somebody put there: by its suffix, or its beginning without one."""
        name = os.path.basename(path)
        suffix = os.path.splitext(name)[1].lower()
        if is_hidden(name) or (suffix and suffix not in self.suffixes):
            return False
        return bool(suffix) or self.begins(_head(path))

    def tell(self, file: Path, known: Sequence[str], separator: str) -> Told:
        """Which of the known classes has which label in a list, see `told_by`."""
        return self.told_by_names(file, known) or told_by(
            file, known, separator, read=self.read_list, words=self.words
        )


def _head(path: str) -> bytes:
    """The first bytes of a file; none where there is nothing to read."""
    if not os.path.isfile(path):  # opening a FIFO would wait
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""
