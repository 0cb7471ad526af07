"""A list that knows its videos: one CSV row a video with what a full check found, indices beside it.

`train.csv` with `train.csv.index` is a manifest and its indices. Rows are written as they become
known to `train.csv.partial` and `train.csv.partial.index`, from which a check that was stopped goes
on; the whole manifest takes its place at the end. A path that a spreadsheet would run as a formula
has an apostrophe in front in the file (see csv_cells); what a spreadsheet saved is read too.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, get_args

from glore_video.data.batches import Failure
from glore_video.data.list_files import OneLabel
from glore_video.data.video.video_list import VideoList
from glore_video.errors import UsageError, writing
from glore_video.files.csv_cells import original, protected
from glore_video.files.locks import lock_file
from glore_video.video.video_index import MAGIC, is_other_version

Status = Literal["ok", "damaged", "unreadable", "missing", "timeout"]
_STATUSES = get_args(Status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
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


COLUMNS = tuple(field.name for field in fields(Row))
_values = attrgetter(*COLUMNS)


def _decimal(cell: str) -> float:
    return float(cell.replace(",", "."))  # as spreadsheets write it in half of the world


def _nanoseconds(cell: str) -> int:
    """0, which no file has, where a spreadsheet has rounded them to 1.7E+18."""
    return 0 if "e+" in cell.lower() else int(cell)


_TYPES = {"int": int, "float": _decimal, "str": original, "Status": str}
_CONVERT: tuple[Any, ...] = tuple(
    _nanoseconds if field.name == "modified_ns" else _TYPES[str(field.type)]
    for field in fields(Row)
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
                f"{path}: a manifest with other columns, {delimiter.join(cells)}; as tools/check_data.py "
                f"writes it, it has {','.join(COLUMNS)}"
            )
    return None


def read_labels(path: Path) -> Iterator[tuple[str, int]]:
    """Paths and labels alone, many times as fast as `read_rows`.

    Raises UsageError that names file and line for a label that is no number.
    """
    for line, cells in _lines(path):
        try:
            yield original(cells[0]), int(cells[1])
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None


def read_rows(path: Path) -> Iterator[Row]:
    """Raises ValueError that names file and line for a line that is no row."""
    return (_row(cells, f"{path}:{line}") for line, cells in _lines(path))


@dataclass(frozen=True, slots=True)
class Usable:
    """What a run needs of a row whose video it can use."""

    label: int
    index_place: tuple[int, int]


def read_known(path: Path, *, use_damaged: bool) -> Iterator[tuple[str, Usable | Row]]:
    """Paths, and what is known of each: `Usable`, or the whole Row of one that can't be used.

    A Row for each of 240,000 lines takes seconds.

    Raises UsageError that names file and line for a line that is no row.
    """
    usable = _usable(use_damaged)
    for line, cells in _lines(path):
        try:
            known: Usable | Row
            if cells[2] in usable and int(cells[3]) > 0:
                known = Usable(int(cells[1]), (int(cells[-2]), int(cells[-1])))
            else:
                known = _row(cells, f"{path}:{line}")
        except UsageError:
            raise
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None
        yield original(cells[0]), known


def _usable(use_damaged: bool) -> tuple[Status, ...]:
    return ("ok", "damaged") if use_damaged else ("ok",)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers and cells of the lines after the header, as many cells as there are columns."""
    with _open(path) as file:
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


def _open(path: Path, mode: str = "r") -> IO[str]:
    # Names that are no UTF-8 come back from the file as they were; spreadsheets add a mark.
    encoding = "utf-8-sig" if mode == "r" else "utf-8"
    return path.open(mode, encoding=encoding, errors="surrogateescape", newline="")


def _cells(row: Row) -> list[object]:
    values = _values(row)
    return [protected(value) if isinstance(value, str) else value for value in values]


def _row(cells: list[str], where: str) -> Row:
    try:
        values = [convert(cell) for convert, cell in zip(_CONVERT, cells, strict=True)]
    except ValueError as error:
        raise UsageError(f"{where}: not a row of a manifest ({error})") from None
    row = Row(**dict(zip(COLUMNS, values, strict=True)))
    if row.status not in _STATUSES:
        raise UsageError(f"{where}: {_unknown(row.status)}")
    return row


def _unknown(status: str) -> str:
    return f"status {status!r}, allowed: {', '.join(_STATUSES)}"


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
    usable = _usable(use_damaged)
    left_out: list[Failure] = []
    paths: list[str] = []
    labels: list[int] = []
    places: list[tuple[int, int]] = []
    one_label = OneLabel(path)
    for line, cells in _lines(path):
        # Only what is needed here: a Row for each of 240,000 lines takes seconds.
        name, label_text, status, frames, *_, reason, offset, size = cells
        try:
            label, place = int(label_text), (int(offset), int(size))
            readable = status in usable and int(frames) > 0
        except ValueError as error:
            raise UsageError(f"{path}:{line}: not a row of a manifest ({error})") from None
        if not 0 <= label < num_classes:
            raise UsageError(
                f"{path}:{line}: label {label} is not in 0 .. {num_classes - 1} "
                f"(MODEL.NUM_CLASSES = {num_classes})"
            )
        name = original(name)
        one_label.add(name, label, line)
        video = os.path.join(prefix, name)
        if readable:
            paths.append(video)
            labels.append(label)
            places.append(place)
        elif status in _STATUSES:
            left_out.append((video, original(reason) or status))
        else:
            raise UsageError(f"{path}:{line}: {_unknown(status)}")
    one_label.check()
    return VideoList(
        path,
        paths,
        labels,
        left_out=left_out,
        index_file=index_file(path),
        index_places=places,
    )


class ManifestWriter:
    """Collects rows in files beside the manifest, and makes the manifest of them at the end.

    What was written is found again by the next writer of the same manifest, even if this process
    is killed in between: in `known`, rows by path, those of the manifest that is there included.

    Raises UsageError if another process writes this manifest, where the file system has locks.
    """

    def __init__(self, manifest: Path) -> None:
        self.manifest = manifest
        self.partial = manifest.with_name(f"{manifest.name}.partial")
        self.known: dict[str, Row] = {}
        self._sources: dict[str, Path] = {}  # file with the index of each known row
        self._files = ExitStack()
        manifest.parent.mkdir(parents=True, exist_ok=True)
        self._rows = self._files.enter_context(_open(self.partial, "a+"))
        try:
            try:
                lock_file(self._rows)
            except BlockingIOError:
                raise UsageError(f"{manifest}: another process is writing it") from None
            self._indices = self._files.enter_context(index_file(self.partial).open("ab"))
            if manifest.is_file() and is_manifest(manifest):
                self._know(read_rows(manifest), index_file(manifest))
            self._know(self._written(), index_file(self.partial))
        except BaseException:
            self._files.close()
            raise
        self._csv = csv.writer(self._rows, lineterminator="\n")

    def _know(self, rows: Iterable[Row], indices: Path) -> None:
        # What another version of this package found, such as frame rates, is found out again.
        outdated = _of_another_version(indices)
        for row in rows:
            if not (outdated and row.index_size):
                self._remember(row, indices)

    def _remember(self, row: Row, indices: Path) -> None:
        self.known[row.path] = row
        self._sources[row.path] = indices

    def _written(self) -> Iterator[Row]:
        """Rows of the partial file; what a killed process left of one at the end is cut off."""
        self._rows.seek(0)
        text = self._rows.read()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            os.truncate(self.partial, len(whole.encode("utf-8", "surrogateescape")))
        for number, cells in enumerate(csv.reader(io.StringIO(whole, newline="")), start=1):
            if len(cells) != len(COLUMNS):
                raise UsageError(f"{self.partial}:{number}: not a row of a manifest; delete it")
            yield _row(cells, f"{self.partial}:{number}")

    def add(self, row: Row, index: bytes = b"") -> None:
        """Write a row, and the index of its video first, so that no row refers to nothing."""
        row = replace(row, index_offset=self._indices.tell(), index_size=len(index))
        with writing(self.partial):
            self._indices.write(index)
            self._indices.flush()
            self._csv.writerow(_cells(row))
            self._rows.flush()
        self._remember(row, index_file(self.partial))

    def finish(self, rows: Iterable[Row]) -> None:
        """Write the manifest: for each row what is known under its path, with its label."""
        new_rows = self.manifest.with_name(f"{self.manifest.name}.new")
        new_indices = index_file(new_rows)
        try:
            with ExitStack() as stack:
                sources: dict[Path, IO[bytes]] = {
                    path: stack.enter_context(path.open("rb"))
                    for path in set(self._sources.values())
                    if path.is_file()
                }
                file = stack.enter_context(_open(new_rows, "w"))
                indices = stack.enter_context(new_indices.open("wb"))
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                for row in rows:
                    data = self._index_of(row, sources)
                    row = replace(row, index_offset=indices.tell(), index_size=len(data))
                    indices.write(data)
                    writer.writerow(_cells(row))
                for each in (file, indices):
                    each.flush()
                    os.fsync(each.fileno())
            # Between the two, indices are those of other videos, which opening a video notices.
            os.replace(new_indices, index_file(self.manifest))
            os.replace(new_rows, self.manifest)
        finally:
            new_rows.unlink(missing_ok=True)
            new_indices.unlink(missing_ok=True)
        self.partial.unlink()
        index_file(self.partial).unlink()

    def _index_of(self, row: Row, sources: dict[Path, IO[bytes]]) -> bytes:
        source = sources.get(self._sources[row.path])
        if source is None or not row.index_size:
            return b""
        source.seek(row.index_offset)
        data = source.read(row.index_size)
        return data if len(data) == row.index_size else b""

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()


def _of_another_version(indices: Path) -> bool:
    """Whether the first index in a file can't be used by this version."""
    if not indices.is_file():
        return False
    with indices.open("rb") as file:
        return is_other_version(file.read(len(MAGIC)))
