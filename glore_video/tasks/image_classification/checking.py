"""Before a run: does every picture decode?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from glore_video.data.check_sources import list_samples
from glore_video.data.check_tables import check_table, count_lines, fault_lines
from glore_video.data.pictures.checking import check_pictures, size_lines
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.tasks.sample_checks import FAULTY, CheckRequest, only_pictures

FLAGS = frozenset({"--prefix", "--separator", "--like"})
_COLUMNS = ("path", "label", "status", "reason", "width", "height", "size")


def takes(source: Path, separator: str) -> bool:
    return only_pictures(source, separator)


def check(request: CheckRequest, say: Callable[[str], None]) -> int:
    """Decode the pictures of a list, of class folders or of a folder, and write a table of them."""
    listing = list_samples(
        PICTURES,
        request.source,
        request.table,
        prefix=request.prefix,
        separator=request.separator,
        like=request.like,
    )
    for note in listing.notes:
        say(note)
    total = len({path for path, _ in listing.samples})
    with (
        check_table(request.table, _COLUMNS) as add,
        tqdm(total=total, desc="decode", disable=None) as bar,
    ):
        rows = check_pictures(listing, threads=request.at_once, progress=bar.update)
        for row in rows:
            add({column: getattr(row, column) for column in _COLUMNS})
    bad = [(row.path, row.reason) for row in rows if row.status != "ok"]
    for line in (
        *count_lines((row.status for row in rows), ("ok", "unreadable", "missing")),
        *size_lines(rows),
        *fault_lines(bad, str(request.table)),
        f"wrote {request.table}",
    ):
        say(line)
    return FAULTY if bad else 0
