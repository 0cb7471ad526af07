"""The records of a test that is under way, kept on disk, so that a killed test goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.errors import UsageError
from glore_video.files.whole_files import replace_file, whole_file

logger = logging.getLogger(__name__)

_MOST_BYTES = 64_000_000


class RecordShards:
    """One array for each sample, in files that are added and never changed.

    Each process adds files of its own. They bear a digest of all that the records depend on; those
    of another test are not used. A file is written to a temporary name, synced and renamed, so
    that after a kill or a power cut it is whole or not there.

    Args:
        folder: on a disk that all processes see.
        fingerprint: names and plain values of what the records depend on.
        seconds: between two files of a process, at most; 0 writes every record at once.
    """

    def __init__(
        self, folder: Path, fingerprint: Mapping[str, Any], *, seconds: float = 10.0
    ) -> None:
        self.folder = folder
        self.seconds = seconds
        text = json.dumps(fingerprint, sort_keys=True, indent=1, default=str)
        self._fingerprint = json.loads(text)
        self._text = text
        self._digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._waiting: dict[int, np.ndarray] = {}
        self._bytes = 0
        self._spoken = False
        self._written = time.monotonic()

    def finished(self) -> list[int]:
        """Places in the list of the samples that have a record, ascending.

        The first time it says which records of other tests it ignores.
        """
        if not self._spoken:
            self._spoken = True
            self._speak_of_others()
        return sorted({index for path in self._files() for index in self._indices(path)})

    def add(self, index: int, record: np.ndarray) -> None:
        """The float32 record of the sample at this place in the list; all have one shape."""
        self._waiting[index] = record
        self._bytes += record.nbytes
        late = time.monotonic() - self._written >= self.seconds
        if late or self._bytes >= _MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been added since the last file."""
        self._written = time.monotonic()
        if not self._waiting:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        named = self.folder / f"{self._digest}.json"
        if not named.is_file():
            # Another process may do the same: both write the same bytes.
            replace_file(named, self._text.encode(), str(os.getpid()))
        path = self.folder / f"{self._digest}-{min(self._waiting):08d}.npz"
        with whole_file(path, f".{os.getpid()}") as file:
            np.savez(
                file,
                indices=np.array(list(self._waiting), dtype=np.int64),
                # The name that files of earlier versions have.
                logits=np.stack(list(self._waiting.values())),
            )
        self._waiting.clear()
        self._bytes = 0

    def collect(self, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Places int64 (samples,), ascending, and records float32 (samples, *shape) of all.

        Raises:
            ValueError: a file is damaged, or of another shape.
        """
        indices = np.array(self.finished(), dtype=np.int64)
        records = np.empty((len(indices), *shape), dtype=np.float32)
        for path in self._files():
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                try:
                    found = arrays["logits"]
                    if found.shape[1:] != tuple(shape):
                        raise ValueError(f"records of {found.shape[1:]}, not of {tuple(shape)}")
                    records[np.searchsorted(indices, arrays["indices"])] = found
                except (zipfile.BadZipFile, ValueError) as error:
                    raise UsageError(f"{path}: remove it and test again: {error}") from None
        return indices, records

    def remove(self) -> None:
        """Forget all, those of other tests included."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob(f"{self._digest}-*.npz")))

    def _indices(self, path: Path) -> list[int]:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return arrays["indices"].tolist()
        except (
            zipfile.BadZipFile,
            AttributeError,
            KeyError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            logger.warning("%s can't be read and is not used: %s", path, error)
            path.unlink(missing_ok=True)
            return []

    def _speak_of_others(self) -> None:
        for path in sorted(self.folder.glob("*.json")):
            if path.stem == self._digest:
                continue
            try:
                other = json.loads(path.read_text(encoding="utf-8"))
                mine = self._fingerprint
                keys = sorted(other.keys() | mine.keys())
                differing = [key for key in keys if other.get(key) != mine.get(key)]
            except (AttributeError, OSError, ValueError):
                differing = ["what can't be read"]
            logger.warning(
                "%s: scores of an unfinished test are not used, it differs in %s",
                *(self.folder, ", ".join(differing)),
            )
