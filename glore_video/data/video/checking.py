"""Decode every video of a list or folder, and write down in a manifest what there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from glore_video.data.check_sources import Listing
from glore_video.data.check_tables import count_lines, fault_lines
from glore_video.data.unicode_names import other_form
from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.manifest_writer import ManifestWriter
from glore_video.errors import UsageError
from glore_video.processes.killable_pool import Outcome, map_killable
from glore_video.video import VideoError, read_index
from glore_video.video.errors import faults_of_a_file


def check_videos(
    listing: Listing,
    manifest: Path,
    *,
    processes: int,
    seconds: float,
    check_bad_again: bool = False,
    check: Callable[[str], tuple[dict[str, Any], bytes]] | None = None,
) -> list[ManifestRow]:
    """Decode all videos to their ends and write the manifest. Shows a bar on a terminal.

    What was checked before, and has its size and time of modification since, is not decoded again,
    also where the check before was stopped halfway.

    Args:
        processes: videos that are decoded at the same time.
        seconds: for one video; one that takes longer is given up ("timeout").
        check_bad_again: decode also those that were found bad before.
        check: in place of check_video, for tests.

    Returns the rows of the manifest.

    Raises ValueError if processes or seconds are not above 0, or another process writes the
    manifest.
    """
    if processes < 1:
        raise UsageError(f"processes must be at least 1, got {processes}")
    if not seconds > 0:
        raise UsageError(f"the time limit must be above 0 seconds, got {seconds}")
    labels = dict(listing.samples)
    with ManifestWriter(manifest) as writer:
        waiting: dict[str, ManifestRow] = {}  # by file
        for path, label in tqdm(labels.items(), "look up", disable=None, leave=False):
            row = _file_state(
                listing.file(path), ManifestRow(path=path, label=label, status="missing")
            )
            if row.status == "missing":
                writer.add(row)
            elif not _is_known(row, writer.known.get(path), check_bad_again):
                waiting[listing.file(path)] = row
        outcomes = map_killable(check or check_video, waiting, processes=processes, seconds=seconds)
        with closing(outcomes), tqdm(total=len(waiting), desc="decode", disable=None) as bar:
            for outcome in outcomes:
                row, index = _judge(waiting[outcome.task], outcome, seconds)
                writer.add(row, index)
                bar.update()
        rows = [replace(writer.known[path], label=label) for path, label in listing.samples]
        writer.finish(rows)
    return rows


def check_video(path: str) -> tuple[dict[str, Any], bytes]:
    """What a ManifestRow says of one video, and its index. Decodes all of it.

    Raises only what would meet every other video too; see faults_of_a_file.
    """
    try:
        index = read_index(path, decode=True)
    except VideoError as error:
        return {"status": "unreadable", "reason": error.reason}, b""
    except faults_of_a_file() as error:  # one strange file in 240,000 must not stop the check
        return {"status": "unreadable", "reason": f"{type(error).__name__}: {error}"}, b""
    found = {
        "status": "damaged" if index.damage else "ok",
        "reason": index.damage,
        "frames": index.num_frames,
        "fps": round(float(index.fps), 6),
        "width": index.width,
        "height": index.height,
        "codec": index.codec,
        "gop": index.gop_length,
        "duration": round(index.duration, 6),
    }
    return found, index.to_bytes()


def _file_state(file: str, row: ManifestRow) -> ManifestRow:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return replace(row, reason=f"no such file{other_form(file)}")
    except (OSError, ValueError) as error:
        return replace(row, reason=getattr(error, "strerror", None) or str(error))
    return replace(row, status="ok", size=status.st_size, modified_ns=status.st_mtime_ns)


def _is_known(now: ManifestRow, before: ManifestRow | None, check_bad_again: bool) -> bool:
    return (
        before is not None
        and (before.size, before.modified_ns) == (now.size, now.modified_ns)
        and before.status != "missing"
        and not (check_bad_again and before.status != "ok")
    )


def _judge(row: ManifestRow, outcome: Outcome, seconds: float) -> tuple[ManifestRow, bytes]:
    if outcome.lost == "timeout":
        reason = f"decoding all of it takes more than {seconds:g} s"
        return replace(row, status="timeout", reason=reason), b""
    if outcome.lost:
        reason = f"its decoder crashed ({outcome.lost})"
        return replace(row, status="unreadable", reason=reason), b""
    found, index = outcome.value
    return replace(row, **found), index


def summary_lines(rows: Sequence[ManifestRow], *, examples: int = 10) -> list[str]:
    """A table of how many videos are fine and how many are not, and some of the latter."""
    known = ("ok", "damaged", "unreadable", "missing")
    lines = count_lines((row.status for row in rows), known)
    hours = sum(row.duration for row in rows) / 3600
    gigabytes = sum(row.size for row in rows) / 1e9
    lines.append(f"{'all':<12}{len(rows):>9}{'':9}  {hours:.1f} h, {gigabytes:.2f} GB")
    bad = [(row.path, row.reason) for row in rows if row.status != "ok"]
    return lines + fault_lines(bad, "the manifest", most=examples)
