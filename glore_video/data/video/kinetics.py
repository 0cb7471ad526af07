"""Kinetics' annotation files and the names of its classes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from glore_video.data.unicode_names import same_letters
from glore_video.errors import UsageError

_COLUMNS = ("youtube_id", "time_start", "time_end")


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """One line of an annotation file.

    Attributes:
        label: name of the class with spaces; empty where the file has none (test sets).
        youtube_id: of the video that the clip was cut from.
        start, end: seconds.
    """

    label: str
    youtube_id: str
    start: float
    end: float

    @property
    def name(self) -> str:
        """Of the clip's file, without suffix, as the usual downloaders choose it."""
        return f"{self.youtube_id}_{self.start:06.0f}_{self.end:06.0f}"


def kinetics400_class_names() -> tuple[str, ...]:
    """The 400 names of Kinetics-400, by label."""
    text = resources.files("glore_video").joinpath("data/video/kinetics400_classes.txt")
    return tuple(text.read_text(encoding="utf-8").splitlines())


def is_annotation_file(path: Path) -> bool:
    """Whether the first line names Kinetics' columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [column.strip() for column in file.readline(1000).split(",")]
    return set(_COLUMNS) <= set(header)


def read_annotations(path: Path) -> Iterator[tuple[int, AnnotatedClip]]:
    """Line numbers and clips of an annotation file: label,youtube_id,time_start,time_end,...

    Raises ValueError that names file and line for a line that can't be read, or the file if its
    header lacks a column.
    """
    if not is_annotation_file(path):
        raise UsageError(f"{path}: its first line must name the columns {', '.join(_COLUMNS)}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        try:
            header = [column.strip() for column in next(reader, [])]
            video, start, end = (header.index(column) for column in _COLUMNS)
            label = header.index("label") if "label" in header else None
            for cells in reader:
                if not cells:
                    continue
                if len(cells) < len(header):
                    raise UsageError(
                        f"{path}:{reader.line_num}: {len(cells)} columns, the header has "
                        f"{len(header)}"
                    )
                name = "" if label is None else cells[label]
                where = f"{path}:{reader.line_num}"
                yield reader.line_num, _clip(name, cells[video], cells[start], cells[end], where)
        except csv.Error as error:
            raise UsageError(f"{path}:{reader.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not a text file in UTF-8 ({error.reason})") from None


def _clip(label: str, youtube_id: str, start: str, end: str, where: str) -> AnnotatedClip:
    try:
        first, last = float(start), float(end)
        if not 0 <= first <= last < 1e6:
            raise UsageError
    except ValueError:
        raise UsageError(
            f"{where}: time_start and time_end must be seconds, got {start!r} and {end!r}"
        ) from None
    if not youtube_id:
        raise UsageError(f"{where}: youtube_id is empty")
    return AnnotatedClip(same_letters(label.replace("_", " ").strip()), youtube_id, first, last)
