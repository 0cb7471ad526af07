"""What checks of samples say, alike for videos, pictures and masks: counts, faults, a table in a file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glore_video.errors import Failure
from glore_video.files.csv_cells import protected
from glore_video.files.whole_files import whole_file

_WORDS = {"ok": "fine", "timeout": "too slow", "size": "wrong size", "numbers": "bad numbers"}


def count_lines(statuses: Iterable[str], known: Sequence[str]) -> list[str]:
    """A line a status, with how many samples have it, and their share.

    Args:
        known: those that get a line if no sample has them too, in this order; others follow.
    """
    counts = Counter(statuses)
    total = max(1, sum(counts.values()))
    return [
        f"{_WORDS.get(status, status):<12}{counts[status]:>9}{100 * counts[status] / total:>8.2f}%"
        for status in dict.fromkeys((*known, *counts))
    ]


def fault_lines(faults: Sequence[Failure], table: str, *, most: int = 10) -> list[str]:
    """The first faults, and how many more the table names: "the manifest"."""
    lines = [f"  {path}: {reason}" for path, reason in faults[:most]]
    more = len(faults) - most
    return [*lines, *([f"  and {more} more; {table} names them"] if more > 0 else [])]


@contextmanager
def check_table(
    path: Path, columns: Sequence[str]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A CSV that is whole or not there at all; give it rows by column name.

    Texts that a spreadsheet would run as formulas have an apostrophe in front (files.csv_cells).
    """
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(protected, columns))

        def add(row: Mapping[str, Any]) -> None:
            cells = (row.get(column, "") for column in columns)
            writer.writerow([protected(each) if isinstance(each, str) else each for each in cells])

        yield add
        text.flush()
        text.detach()
