"""Writing a manifest, so that a check that was stopped goes on where it was."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

from glore_video.data.video.manifest import (
    COLUMNS,
    ManifestRow,
    index_file,
    is_manifest,
    manifest_row,
    open_manifest,
    read_rows,
    row_cells,
)
from glore_video.errors import UsageError, writing
from glore_video.files.locks import lock_file
from glore_video.video.video_index import MAGIC, is_other_version


class ManifestWriter:
    """Collects rows in files beside the manifest, and makes the manifest of them at the end.

    What was written is found again by the next writer of the same manifest, even if this process
    is killed in between: in `known`, rows by path, those of the manifest that is there included.

    Raises UsageError if another process writes this manifest, where the file system has locks.
    """

    def __init__(self, manifest: Path) -> None:
        self.manifest = manifest
        self.partial = manifest.with_name(f"{manifest.name}.partial")
        self.known: dict[str, ManifestRow] = {}
        self._sources: dict[str, Path] = {}  # file with the index of each known row
        self._files = ExitStack()
        manifest.parent.mkdir(parents=True, exist_ok=True)
        self._rows = self._files.enter_context(open_manifest(self.partial, "a+"))
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

    def _know(self, rows: Iterable[ManifestRow], indices: Path) -> None:
        # What another version of this package found, such as frame rates, is found out again.
        outdated = _of_another_version(indices)
        for row in rows:
            if not (outdated and row.index_size):
                self._remember(row, indices)

    def _remember(self, row: ManifestRow, indices: Path) -> None:
        self.known[row.path] = row
        self._sources[row.path] = indices

    def _written(self) -> Iterator[ManifestRow]:
        """Rows of the partial file; what a killed process left of one at the end is cut off."""
        self._rows.seek(0)
        text = self._rows.read()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            os.truncate(self.partial, len(whole.encode("utf-8", "surrogateescape")))
        for number, cells in enumerate(csv.reader(io.StringIO(whole, newline="")), start=1):
            if len(cells) != len(COLUMNS):
                raise UsageError(f"{self.partial}:{number}: not a row of a manifest; delete it")
            yield manifest_row(cells, f"{self.partial}:{number}")

    def add(self, row: ManifestRow, index: bytes = b"") -> None:
        """Write a row, and the index of its video first, so that no row refers to nothing."""
        row = replace(row, index_offset=self._indices.tell(), index_size=len(index))
        with writing(self.partial):
            self._indices.write(index)
            self._indices.flush()
            self._csv.writerow(row_cells(row))
            self._rows.flush()
        self._remember(row, index_file(self.partial))

    def finish(self, rows: Iterable[ManifestRow]) -> None:
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
                file = stack.enter_context(open_manifest(new_rows, "w"))
                indices = stack.enter_context(new_indices.open("wb"))
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                for row in rows:
                    data = self._index_of(row, sources)
                    row = replace(row, index_offset=indices.tell(), index_size=len(data))
                    indices.write(data)
                    writer.writerow(row_cells(row))
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

    def _index_of(self, row: ManifestRow, sources: dict[Path, IO[bytes]]) -> bytes:
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
