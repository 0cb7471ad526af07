"""What a manifest knows of its videos, or of those of a list or class folders beside it."""

from __future__ import annotations

import os
from pathlib import Path

from glore_video.data.class_lists import check_label
from glore_video.data.list_files import OneLabel
from glore_video.data.video.manifest import (
    STATUSES,
    ManifestRow,
    Usable,
    index_file,
    manifest_lines,
    read_known,
    unknown_status,
    usable_statuses,
)
from glore_video.data.video.video_list import VideoList
from glore_video.errors import Failure, UsageError
from glore_video.files.csv_cells import original


def load_manifest(
    path: Path, *, prefix: Path, num_classes: int, use_damaged: bool = False
) -> VideoList:
    """The videos of a manifest that can be read, with their kept indices; the others are left out.

    Args:
        prefix: folder that relative paths start from.
        use_damaged: keep damaged videos that have whole frames.

    Raises:
        UsageError: a row can't be read, has no label in 0 .. num_classes - 1, or gives a video another
            label than one before.
    """
    usable = usable_statuses(use_damaged)
    left_out: list[Failure] = []
    paths: list[str] = []
    labels: list[int] = []
    places: list[tuple[int, int]] = []
    one_label = OneLabel(path, "video")
    for line, cells in manifest_lines(path):
        # Only what is needed here: a ManifestRow for each of 240,000 lines takes seconds.
        name, label_text, status, frames, *_, reason, offset, size = cells
        try:
            label, place = int(label_text), (int(offset), int(size))
            readable = status in usable and int(frames) > 0
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None
        check_label(label, num_classes, f"{path}:{line}")
        name = original(name)
        one_label.add(name, label, line)
        video = os.path.join(prefix, name)
        if readable:
            paths.append(video)
            labels.append(label)
            places.append(place)
        elif status in STATUSES:
            left_out.append((video, original(reason) or status))
        else:
            raise UsageError(f"{path}:{line}: {unknown_status(status)}")
    one_label.check()
    return VideoList(
        path,
        paths,
        labels,
        left_out=left_out,
        index_file=index_file(path),
        index_places=places,
    )


def with_manifest(
    videos: VideoList, manifest: Path, *, prefix: Path, use_damaged: bool = False
) -> VideoList:
    """The videos that can be read, with their kept indices; those that a check found bad are left out.

    The list or the class folders say which videos there are, and their labels. A video that the
    manifest does not know, or whose file has changed since it was found bad, stays as it is.

    Args:
        prefix: folder that the manifest's relative paths start from.
        use_damaged: keep damaged videos that have whole frames.
    """
    rows = {
        os.path.abspath(os.path.join(prefix, path)): known
        for path, known in read_known(manifest, use_damaged=use_damaged)
    }
    left_out: list[Failure] = list(videos.left_out)
    paths: list[str] = []
    labels: list[int] = []
    places: list[tuple[int, int]] = []
    known = unchecked = relabelled = 0
    for path, label in zip(videos.paths(), videos.labels.tolist(), strict=True):
        row = rows.get(os.path.abspath(path))
        place = (0, 0)
        if row is not None:
            known += 1
            relabelled += row.label not in (-1, label)
        if isinstance(row, Usable):
            place = row.index_place
        elif row is not None and _is_unchanged(path, row):
            left_out.append((path, row.reason or row.status))
            continue
        else:
            unchecked += 1
        paths.append(path)
        labels.append(label)
        places.append(place)
    if known == 0:
        note = (
            f"{manifest}: not used, it knows none of the videos of {videos.source}; its relative paths "
            f"start from {prefix}"
        )
        return VideoList(
            videos.source,
            videos.paths(),
            videos.labels.tolist(),
            left_out=videos.left_out,
            notes=[*videos.notes, note],
        )
    return VideoList(
        videos.source,
        paths,
        labels,
        left_out=left_out,
        notes=[*videos.notes, _note(videos, manifest, len(left_out), unchecked, relabelled)],
        index_file=index_file(manifest),
        index_places=places,
    )


def _is_unchanged(path: str, row: ManifestRow) -> bool:
    """Whether a file is as it was when it was found bad; one that was missing is not there now.

    A time of 0 is not known: spreadsheets round it.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return True
    return status.st_size == row.size and row.modified_ns in (0, status.st_mtime_ns)


def _note(videos: VideoList, manifest: Path, bad: int, unchecked: int, relabelled: int) -> str:
    parts = [f"of {len(videos)} videos of {videos.source} {bad} are left out as bad"]
    if unchecked:
        parts.append(f"{unchecked} are new or changed, glore-video check-data has not seen them")
    if relabelled:
        parts.append(f"{relabelled} have another label there, which does not count")
    return f"{manifest}: taken for what it knows: {', '.join(parts)}"
