"""Kinetics: its annotation files, the names its videos bear, and lists made of both."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from glore_video.data.folders import VIDEO_SUFFIXES, LeftOut, videos_below
from glore_video.data.list_files import text_lines
from glore_video.data.unicode_names import same_letters
from glore_video.errors import MissingFileError, UsageError

_COLUMNS = ("youtube_id", "time_start", "time_end")
_TIMES = re.compile(r"_\d{6}_\d{6}$")


@dataclass(frozen=True, slots=True)
class Clip:
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


def read_annotations(path: Path) -> Iterator[tuple[int, Clip]]:
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


def _clip(label: str, youtube_id: str, start: str, end: str, where: str) -> Clip:
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
    return Clip(same_letters(label.replace("_", " ").strip()), youtube_id, first, last)


def find_video_files(folder: Path, left_out: LeftOut | None = None) -> dict[str, str]:
    """Paths of all videos below a folder by their names without suffix; the first of equal ones.

    left_out: to be told what is passed over.

    Raises FileNotFoundError if there is no such folder, ValueError if it holds no videos.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder")
    left_out = left_out or LeftOut()
    found: dict[str, str] = {}
    for path in videos_below(folder, left_out):
        found.setdefault(os.path.splitext(os.path.basename(path))[0], path)
    if not found:
        words = f"{folder}: no videos in it or in folders below it"
        raise UsageError("; ".join((words, *left_out.notes(folder))))
    return found


def video_of(clip: Clip, files: dict[str, str]) -> str | None:
    """The clip's file: named by id and times, or by the id alone."""
    return files.get(clip.name) or files.get(clip.youtube_id)


def class_names_of(clips: Iterable[Clip]) -> tuple[str, ...]:
    """Kinetics-400's names if all labels are among them, otherwise the labels, sorted."""
    labels = {clip.label for clip in clips if clip.label}
    kinetics400 = kinetics400_class_names()
    return kinetics400 if labels <= set(kinetics400) else tuple(sorted(labels))


@dataclass(frozen=True)
class Coverage:
    """How much of an annotation file is there.

    Attributes:
        expected: clips of the file.
        found: those with a video.
        missing: names of the others.
        worst: (class, found, expected) of the classes that lack most, the worst first.
    """

    expected: int
    found: int
    missing: tuple[str, ...]
    worst: tuple[tuple[str, int, int], ...]


def coverage(clips: Sequence[Clip], files: dict[str, str], *, worst: int = 5) -> Coverage:
    """Compare annotations with the files that are there."""
    there = [video_of(clip, files) is not None for clip in clips]
    expected = Counter(clip.label for clip in clips)
    found = Counter(clip.label for clip, is_there in zip(clips, there, strict=True) if is_there)
    lacking = sorted(
        (name for name in expected if found[name] < expected[name]),
        key=lambda name: (found[name] / expected[name], name),
    )
    return Coverage(
        len(clips),
        sum(there),
        tuple(clip.name for clip, is_there in zip(clips, there, strict=True) if not is_there),
        tuple((name, found[name], expected[name]) for name in lacking[:worst]),
    )


@dataclass(frozen=True)
class Comparison:
    """Videos against the names of an official list."""

    expected: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def compare_with_names(paths: Iterable[str], official: Path) -> Comparison:
    """Which videos of an official list are not among `paths`, and which of `paths` it lacks.

    Names are compared without folders and suffixes. The official list is one of names, of paths or
    of `path label`, or an annotation file. Where it gives bare YouTube ids, the times in the names
    of files are not looked at.

    Raises FileNotFoundError or ValueError if the official list can't be read or is empty.
    """
    if not official.is_file():
        raise MissingFileError(f"{official}: no such file")
    if is_annotation_file(official):
        wanted = {clip.name for _, clip in read_annotations(official)}
    else:
        wanted = {_stem(line) for _, line in text_lines(official)}
    if not wanted:
        raise UsageError(f"{official}: no names in it")
    there: dict[str, str] = {}
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        bare = _TIMES.sub("", stem)
        there[stem if stem in wanted or bare not in wanted else bare] = path
    return Comparison(
        len(wanted),
        tuple(sorted(wanted - there.keys())),
        tuple(path for stem, path in there.items() if stem not in wanted),
    )


def _stem(line: str) -> str:
    """The name in a line: of a path, with or without a label after it."""
    name = line.strip().rpartition("/")[2]
    head, _, last = name.rpartition(" ")
    if head and last.isdecimal():
        name = head.strip()
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in VIDEO_SUFFIXES else name
