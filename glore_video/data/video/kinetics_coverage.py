"""How much of Kinetics is there: its annotation files, or lists of names, against files of videos."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glore_video.data.folders import LeftOut, samples_below
from glore_video.data.list_files import text_lines
from glore_video.data.video.kinetics import (
    AnnotatedClip,
    is_annotation_file,
    kinetics400_class_names,
    read_annotations,
)
from glore_video.data.video.video_files import VIDEO_SUFFIXES, VIDEOS
from glore_video.errors import MissingFileError, UsageError

_TIMES = re.compile(r"_\d{6}_\d{6}$")


def find_video_files(folder: Path, left_out: LeftOut | None = None) -> dict[str, str]:
    """Paths of all videos below a folder by their names without suffix; the first of equal ones.

    left_out: to be told what is passed over.

    Raises FileNotFoundError if there is no such folder, ValueError if it holds no videos.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder")
    left_out = left_out or LeftOut()
    found: dict[str, str] = {}
    for path in samples_below(VIDEOS, folder, left_out):
        found.setdefault(os.path.splitext(os.path.basename(path))[0], path)
    if not found:
        words = f"{folder}: no videos in it or in folders below it"
        raise UsageError("; ".join((words, *left_out.notes(folder))))
    return found


def video_of(clip: AnnotatedClip, files: dict[str, str]) -> str | None:
    """The clip's file: named by id and times, or by the id alone."""
    return files.get(clip.name) or files.get(clip.youtube_id)


def class_names_of(clips: Iterable[AnnotatedClip]) -> tuple[str, ...]:
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


def coverage(clips: Sequence[AnnotatedClip], files: dict[str, str], *, worst: int = 5) -> Coverage:
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
class NamesComparison:
    """Videos against the names of an official list."""

    expected: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def compare_with_names(paths: Iterable[str], official: Path) -> NamesComparison:
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
    return NamesComparison(
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
