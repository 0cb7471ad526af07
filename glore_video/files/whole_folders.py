"""Folders that are there when all is in them, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(path: Path, *, is_there: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """A new folder beside `path`, which takes its place at the end; after an error it is gone.

    Args:
        path: of which nothing is there yet, or an empty folder.
        is_there: asked where it can't take the place: whether another process has put the same there
            meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        try:
            if path.is_dir():
                path.rmdir()  # empty, or the caller had objected
            partial.rename(path)
        except OSError:
            if not is_there():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
