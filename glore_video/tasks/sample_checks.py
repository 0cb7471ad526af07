"""What `glore-video check-data` asks of a task: whether its samples can be used, before a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from glore_video.data.folders import samples_below
from glore_video.data.list_files import read_list
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.sample_kind import SampleKind
from glore_video.data.video.video_files import VIDEOS
from glore_video.errors import UsageError

FAULTY = 2
"""The command's exit status if a run would meet samples that it can't use."""
_LOOKED_AT = 1000  # files of a folder, lines of a list


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """What the user asks for.

    Attributes:
        source: list or folder.
        out: the table to write; None: beside the source.
        split: of a data folder; "": all.
        prefix: folder that relative paths of a list start from.
        separator: between path and label in a list.
        like: whose labels or class names are those of the source.
        at_once: files that are read at the same time.
        seconds: for one file.
        again: look also at what was found bad before.
        against: official list of names.
    """

    source: Path
    out: Path | None = None
    split: str = ""
    prefix: str = ""
    separator: str = " "
    like: Path | None = None
    at_once: int = 1
    seconds: float = 300.0
    again: bool = False
    against: Path | None = None

    @property
    def table(self) -> Path:
        """Where a check without a manifest writes what it has found: train.check.csv beside train.

        Raises UsageError if that is the list itself.
        """
        if self.out is not None:
            if self.out.exists() and self.out.samefile(self.source):
                raise UsageError(f"--out {self.out}: is what is to be checked, and would be lost")
            return self.out
        source = Path(os.path.abspath(self.source))
        return source.with_name(f"{source.name if source.is_dir() else source.stem}.check.csv")


class SampleCheck(Protocol):
    """A task's module that checks its samples."""

    @property
    def FLAGS(self) -> frozenset[str]:  # noqa: N802
        """Flags of the command that mean something to it."""

    def takes(self, source: Path, separator: str) -> bool:
        """Whether what lies there are samples of this task, as far as can be told quickly."""

    def check(self, request: CheckRequest, say: Callable[[str], None]) -> int:
        """Look at all samples, say what was found, and return the exit status of the command."""


def only_pictures(source: Path, separator: str) -> bool:
    """Whether a folder or list has pictures and no videos, among its first samples."""
    try:
        found = {kind.word for kind in islice(_kinds(source, separator), _LOOKED_AT)}
    except (UsageError, OSError):
        return False
    return found == {PICTURES.word}


def _kinds(source: Path, separator: str) -> Iterator[SampleKind]:
    if source.is_dir():
        either = SampleKind("sample", example="", suffixes=PICTURES.suffixes | VIDEOS.suffixes)
        paths = samples_below(either, source)
    elif source.is_file():
        paths = (path for _, path, _ in read_list(source, separator))
    else:
        return
    for path in paths:
        suffix = os.path.splitext(path)[1].lower()
        yield VIDEOS if suffix in VIDEOS.suffixes else PICTURES
