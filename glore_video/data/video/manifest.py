"""A list that knows its videos: one CSV row a video with what a full check found, indices beside it.

`train.csv` with `train.csv.index` is a manifest and its indices. Rows are written as they become
known to `train.csv.partial` and `train.csv.partial.index`, from which a check that was stopped goes
on; the whole manifest takes its place at the end. A path that a spreadsheet would run as a formula
has an apostrophe in front in the file (see csv_cells); what a spreadsheet saved is read too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, Literal, get_args

from glore_video.errors import UsageError
from glore_video.files.csv_cells import original, protected

Status = Literal["ok", "damaged", "unreadable", "missing", "timeout"]
STATUSES = get_args(Status)


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestRow:
    """What is known of one video.

    Attributes:
        path: as in a list: relative to DATA.PATH_PREFIX or the manifest's folder, or absolute.
        label: -1 if it has none.
        status: "ok": every frame can be decoded; "damaged": `frames` can, from the first on, and
            then something is wrong; "unreadable"; "missing"; "timeout": decoding it took longer
            than the check allowed.
        frames: that decoding from the start to the end shows, or to the damage.
        fps: average frames a second.
        width, height: of a frame as shown, pixels.
        codec: FFmpeg's name.
        gop: greatest number of frames from one keyframe to the next; 0: not known.
        duration: from the start of the first frame to the end of the last, seconds.
        size, modified_ns: of the file, bytes and nanoseconds since 1970, when it was checked.
        reason: what is wrong; empty for "ok".
        index_offset, index_size: bytes of the video's index in the file beside the manifest.
    """

    path: str
    label: int = -1
    status: Status
    frames: int = 0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""
    gop: int = 0
    duration: float = 0.0
    size: int = 0
    modified_ns: int = 0
    reason: str = ""
    index_offset: int = 0
    index_size: int = 0


COLUMNS = tuple(field.name for field in fields(ManifestRow))
_values = attrgetter(*COLUMNS)


def _decimal(cell: str) -> float:
    return float(cell.replace(",", "."))  # as spreadsheets write it in half of the world


def _nanoseconds(cell: str) -> int:
    """0, which no file has, where a spreadsheet has rounded them to 1.7E+18."""
    return 0 if "e+" in cell.lower() else int(cell)


_TYPES = {"int": int, "float": _decimal, "str": original, "Status": str}
_CONVERT: tuple[Any, ...] = tuple(
    _nanoseconds if field.name == "modified_ns" else _TYPES[str(field.type)]
    for field in fields(ManifestRow)
)


def index_file(manifest: Path) -> Path:
    return manifest.with_name(f"{manifest.name}.index")


def is_manifest(path: Path) -> bool:
    """Whether the file's first line is a manifest's, as we or a spreadsheet wrote it.

    Raises UsageError if it is one whose columns somebody changed.
    """
    return _delimiter(path) is not None


def _delimiter(path: Path) -> str | None:
    """What stands between the cells of a manifest: a comma, or what a spreadsheet made of it."""
    with path.open("rb") as file:
        line = file.readline(1000).decode("utf-8-sig", "replace").strip("\r\n").replace("\0", " ")
    for delimiter in ",;\t":
        cells = tuple(next(csv.reader([line], delimiter=delimiter), []))
        if cells == COLUMNS:
            return delimiter
        if cells[:3] == COLUMNS[:3]:
            raise UsageError(
                f"{path}: a manifest with other columns, {delimiter.join(cells)}; as glore-video check-data "
                f"writes it, it has {','.join(COLUMNS)}"
            )
    return None


def read_labels(path: Path) -> Iterator[tuple[int, str, int]]:
    """Line numbers, paths and labels alone, many times as fast as `read_rows`.

    Raises UsageError that names file and line for a label that is no number.
    """
    for line, cells in manifest_lines(path):
        try:
            yield line, original(cells[0]), int(cells[1])
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None


def read_rows(path: Path) -> Iterator[ManifestRow]:
    """Raises ValueError that names file and line for a line that is no row."""
    return (manifest_row(cells, f"{path}:{line}") for line, cells in manifest_lines(path))


@dataclass(frozen=True, slots=True)
class Usable:
    """What a run needs of a row whose video it can use."""

    label: int
    index_place: tuple[int, int]


def read_known(path: Path, *, use_damaged: bool) -> Iterator[tuple[str, Usable | ManifestRow]]:
    """Paths, and what is known of each: `Usable`, or the whole ManifestRow of one that can't be used.

    A row for each of 240,000 lines takes seconds.

    Raises UsageError that names file and line for a line that is no row.
    """
    usable = usable_statuses(use_damaged)
    for line, cells in manifest_lines(path):
        try:
            known: Usable | ManifestRow
            if cells[2] in usable and int(cells[3]) > 0:
                known = Usable(int(cells[1]), (int(cells[-2]), int(cells[-1])))
            else:
                known = manifest_row(cells, f"{path}:{line}")
        except UsageError:
            raise
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None
        yield original(cells[0]), known


def usable_statuses(use_damaged: bool) -> tuple[Status, ...]:
    return ("ok", "damaged") if use_damaged else ("ok",)


def manifest_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers and cells of the lines after the header, as many cells as there are columns."""
    with open_manifest(path) as file:
        reader = csv.reader(file, delimiter=_delimiter(path) or ",")
        try:
            next(reader, None)
            for cells in reader:
                if not any(cells):  # spreadsheets leave such lines at the end
                    continue
                if len(cells) != len(COLUMNS):
                    raise UsageError(
                        f"{path}:{reader.line_num}: {len(cells)} columns, a manifest has "
                        f"{len(COLUMNS)}"
                    )
                yield reader.line_num, cells
        except csv.Error as error:
            raise UsageError(f"{path}:{reader.line_num}: {error}") from None


def open_manifest(path: Path, mode: str = "r") -> IO[str]:
    # Names that are no UTF-8 come back from the file as they were; spreadsheets add a mark.
    encoding = "utf-8-sig" if mode == "r" else "utf-8"
    return path.open(mode, encoding=encoding, errors="surrogateescape", newline="")


def row_cells(row: ManifestRow) -> list[object]:
    values = _values(row)
    return [protected(value) if isinstance(value, str) else value for value in values]


def manifest_row(cells: list[str], where: str) -> ManifestRow:
    try:
        values = [convert(cell) for convert, cell in zip(_CONVERT, cells, strict=True)]
    except ValueError as error:
        raise UsageError(f"{where}: not a row of a manifest ({error})") from None
    row = ManifestRow(**dict(zip(COLUMNS, values, strict=True)))
    if row.status not in STATUSES:
        raise UsageError(f"{where}: {unknown_status(row.status)}")
    return row


def unknown_status(status: str) -> str:
    return f"status {status!r}, allowed: {', '.join(STATUSES)}"
