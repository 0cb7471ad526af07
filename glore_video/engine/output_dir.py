"""OUTPUT_DIR: one run at a time writes into it, and what an earlier run left is not overwritten."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname
from typing import IO

from glore_video.errors import UsageError
from glore_video.files.locks import lock_file

logger = logging.getLogger(__name__)

LOCK_NAME = "run.lock"
_OF_A_RUN = ("checkpoints", "config.yaml", "metrics.jsonl", "tensorboard", "test")
_held: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


class InUseError(UsageError):
    """Another process holds the folder; the message says which."""


class FolderLock:
    """The lock of a folder, held from `take` to the end of the `with` statement.

    It is that of a file in the folder, which the system frees when this process ends, however it
    does. The file says who holds it, and goes with the lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / LOCK_NAME
        self._file: IO[bytes] | None = None

    def take(self, *, create: bool = True) -> None:
        """Hold the folder, unless it is held here already.

        Args:
            create: make the folder and the file where they are missing; else a folder that nobody
                has locked stays as it is, and free.

        Raises InUseError, which names the process that holds it.
        """
        while self._file is None and (create or self._path.is_file()):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab+", buffering=0)
            try:
                lock_file(file)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().decode(errors="replace").strip() or "another process"
                file.close()
                raise InUseError(f"{holder} writes into {self.folder}") from None
            if not self._is_current(file):
                file.close()  # its holder has removed it between opening and locking
                continue
            with suppress(OSError):  # a full disk: it is locked all the same
                os.ftruncate(file.fileno(), 0)
                since = time.strftime("%Y-%m-%d %H:%M:%S")
                text = f"process {os.getpid()} on {gethostname()} (since {since})\n"
                os.write(file.fileno(), text.encode())
            self._file = file
            _held.add(file)

    def _is_current(self, file: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._path.unlink()
            self._file.close()
            self._file = None


def _let_go_in_child() -> None:
    """A forked process that outlives this one must not keep its locks."""
    for file in list(_held):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


@contextmanager
def waited_for(folder: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder within it, once whoever holds it is done.

    Args:
        waiting: called every second with what is waited for.
    """
    with FolderLock(folder) as lock:
        said = False
        while True:
            try:
                lock.take()
            except InUseError as error:
                if not said:
                    logger.warning("waiting until it is done: %s", error)
                said = True
                waiting(str(error))
                time.sleep(1)
            else:
                break
        yield


def set_aside(folder: Path) -> None:
    """Move what an earlier run has left in its OUTPUT_DIR into a folder of its own there.

    The log stays: it goes on.
    """
    found = [folder / name for name in _OF_A_RUN if (folder / name).exists()]
    if not found:
        return
    number = 1
    while (folder / f"earlier_{number}").exists():
        number += 1
    aside = folder / f"earlier_{number}"
    aside.mkdir()
    for path in found:
        path.rename(aside / path.name)
    logger.warning("what an earlier run left in %s is now in %s", folder, aside)
