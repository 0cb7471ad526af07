"""What a manifest beside a list or class folders knows of their videos."""

from __future__ import annotations

import os
from pathlib import Path

from glore_video.datasets.manifest import Row, index_file, read_rows
from glore_video.datasets.video_list import Failure, VideoList


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
    usable = ("ok", "damaged") if use_damaged else ("ok",)
    rows = {os.path.abspath(os.path.join(prefix, row.path)): row for row in read_rows(manifest)}
    left_out: list[Failure] = list(videos.left_out)
    paths: list[str] = []
    labels: list[int] = []
    places: list[tuple[int, int]] = []
    known = unchecked = relabelled = 0
    for index, path in enumerate(videos.paths()):
        row = rows.get(os.path.abspath(path))
        good = row is not None and row.status in usable and row.frames > 0
        if row is not None:
            known += 1
            relabelled += row.label not in (-1, videos.label(index))
        if row is None or not (good or _is_unchanged(path, row)):
            unchecked += 1
            place = (0, 0)
        elif good:
            place = (row.index_offset, row.index_size)
        else:
            left_out.append((path, row.reason or row.status))
            continue
        paths.append(path)
        labels.append(videos.label(index))
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


def _is_unchanged(path: str, row: Row) -> bool:
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
        parts.append(f"{unchecked} are new or changed, tools/check_data.py has not seen them")
    if relabelled:
        parts.append(f"{relabelled} have another label there, which does not count")
    return f"{manifest}: taken for what it knows: {', '.join(parts)}"
