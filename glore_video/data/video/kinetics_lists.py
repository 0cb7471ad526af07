"""Annotation files and a folder of videos -> train.csv, val.csv, test.csv, with what they cover."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glore_video.data.folders import LeftOut, listed
from glore_video.data.list_files import OneLabel
from glore_video.data.numbering import SPLITS, read_names
from glore_video.data.video.kinetics import AnnotatedClip, read_annotations
from glore_video.data.video.kinetics_coverage import (
    Coverage,
    class_names_of,
    coverage,
    find_video_files,
    video_of,
)
from glore_video.data.video.reencoding import Encoding, reencode_all
from glore_video.errors import Failure, MissingFileError, UsageError
from glore_video.files.whole_files import replace_file


@dataclass(frozen=True)
class Prepared:
    """What prepare_kinetics left.

    Attributes:
        covered: how much of each split's annotation file has a video.
        listed: videos in each list that was written. A split without labels has none.
        not_encoded: videos left out because they could not be encoded anew.
        notes: what was passed over in the folder of videos, a line.
    """

    covered: dict[str, Coverage]
    listed: dict[str, int]
    not_encoded: tuple[Failure, ...]
    notes: tuple[str, ...] = ()


def prepare_kinetics(
    annotations: Mapping[str, Path],
    videos: Path,
    out: Path,
    *,
    encoding: Encoding | None = None,
    processes: int = 1,
    seconds: float = 600.0,
) -> Prepared:
    """Write lists of the videos that are there, and class_names.txt.

    Args:
        annotations: split (train, val, test) -> Kinetics' annotation file.
        videos: folder with the videos, in any folders below it, named `<id>_<start>_<end>` with
            six digits of seconds each, or `<id>`.
        out: folder for the lists, a DATA.PATH_TO_DATA_DIR.
        encoding: encode the videos anew into out/videos and list these; those that are there
            from a run before are kept.
        processes, seconds: of encoding: videos at a time, time limit for each.

    Raises:
        FileNotFoundError, ValueError: an annotation file or the folder can't be read, or none of
            the videos is there.
    """
    clips: dict[str, list[AnnotatedClip]] = {}
    for split, path in annotations.items():
        if not path.is_file():
            raise MissingFileError(f"{path}: no such annotation file")
        one_class = OneLabel(path, "video")
        clips[split] = []
        for line, clip in read_annotations(path):
            one_class.add(clip.name, clip.label, line)
            clips[split].append(clip)
        one_class.check()
        if not clips[split]:
            raise UsageError(f"{path}: no clips in it")
    names = _names(clips, out)
    left_out = LeftOut()
    files = find_video_files(videos, left_out)
    covered = {split: coverage(each, files) for split, each in clips.items()}
    if not any(each.found for each in covered.values()):
        raise UsageError(
            f"{videos}: none of the clips is there; files must be named such as "
            f"{next(iter(clips.values()))[0].name}.mp4"
        )
    sources = {
        clip: file for each in clips.values() for clip in each if (file := video_of(clip, files))
    }
    failures: list[Failure] = []
    if encoding is not None:
        folder = out / "videos"
        targets = {
            file: folder / f"{Path(file).stem}.mp4" for file in dict.fromkeys(sources.values())
        }
        failures = reencode_all(targets, encoding, folder, processes=processes, seconds=seconds)
        failed = {file for file, _ in failures}
        sources = {
            clip: os.fspath(targets[file]) for clip, file in sources.items() if file not in failed
        }
    listed = {
        split: _write_list(out / f"{split}.csv", each, sources, names)
        for split, each in clips.items()
        if any(clip.label for clip in each)
    }
    _write(out / "class_names.txt", [*names])
    return Prepared(covered, listed, tuple(failures), left_out.notes(videos))


def _names(clips: Mapping[str, list[AnnotatedClip]], out: Path) -> tuple[str, ...]:
    """Class names by label: of lists that are there already and stay, or else of these clips.

    Raises UsageError if those lack a class.
    """
    names = class_names_of(clip for each in clips.values() for clip in each)
    staying = [
        file for split in SPLITS if split not in clips and (file := out / f"{split}.csv").is_file()
    ]
    written = out / "class_names.txt"
    if not staying or not written.is_file():
        return names
    there = read_names(written)
    if lacking := sorted({clip.label for each in clips.values() for clip in each} - {*there, ""}):
        raise UsageError(
            f"{written}: {listed(lacking)}: not among the classes by which {staying[0]} is numbered; "
            "make the lists of all splits in one call, or name another folder"
        )
    return there


def _write_list(
    path: Path,
    clips: list[AnnotatedClip],
    sources: Mapping[AnnotatedClip, str],
    names: tuple[str, ...],
) -> int:
    label_of = {name: label for label, name in enumerate(names)}
    folder = os.path.abspath(path.parent)
    lines = []
    for clip in clips:
        if clip.label and clip in sources:
            file = os.path.abspath(sources[clip])
            inside = file.startswith(os.path.join(folder, ""))
            lines.append(
                f"{os.path.relpath(file, folder) if inside else file} {label_of[clip.label]}"
            )
    _write(path, lines)
    return len(lines)


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, "".join(f"{line}\n" for line in lines).encode())


def report_lines(prepared: Prepared) -> list[str]:
    """What is there and what lacks, for the terminal."""
    lines = [*prepared.notes]
    lines += [f"{'split':<8}{'clips':>9}{'there':>9}{'':>9}{'listed':>11}"]
    for split, each in prepared.covered.items():
        listed = str(prepared.listed[split]) if split in prepared.listed else "no labels"
        share = f"{100 * each.found / each.expected:.1f}%"
        lines.append(f"{split:<8}{each.expected:>9}{each.found:>9}{share:>9}{listed:>11}")
    for split, each in prepared.covered.items():
        for name, found, expected in each.worst:
            if name:
                lines.append(f"  {split}: {found} of {expected} clips of {name!r}")
    for path, reason in prepared.not_encoded[:10]:
        lines.append(f"  not encoded: {path}: {reason}")
    if len(prepared.not_encoded) > 10:
        lines.append(f"  and {len(prepared.not_encoded) - 10} more not encoded")
    return lines
