"""What a manifest beside a list or class folders knows of their videos."""

from __future__ import annotations

import os
from pathlib import Path

from glore_video.data.batches import Failure
from glore_video.data.video.manifest import Row, Usable, index_file, read_known
from glore_video.data.video.video_list import VideoList


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
