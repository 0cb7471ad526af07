"""Files written whole, and what may be written into JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from glore_video.errors import writing


@contextmanager
def whole_file(path: Path, writer: str = "") -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of `path` at the end; after an error it is gone.

    It is on the disk before it takes the place. A full disk is a FileError that names `path`.

    writer: tells apart those that may write the same file at the same time.
    """
    temporary = path.with_name(f"{path.name}{writer}.tmp")
    with _taking_the_place(temporary, path), temporary.open("wb") as file:
        yield file


@contextmanager
def whole_path(path: Path, writer: str = "") -> Iterator[Path]:
    """As `whole_file`, for libraries that open files themselves: a path with the suffix of `path`."""
    temporary = path.with_name(f"{path.stem}{writer}.tmp{path.suffix}")
    with _taking_the_place(temporary, path):
        yield temporary


@contextmanager
def _taking_the_place(temporary: Path, path: Path) -> Iterator[None]:
    try:
        with writing(path):
            yield
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, writer: str = "") -> None:
    """Write a file whole, or leave what is there. See `whole_file` for writer."""
    with whole_file(path, writer) as file:
        file.write(content)


def for_json(value: Any) -> Any:
    """The value with None for numbers that JSON does not know, NaN and infinity; tuples as lists."""
    if isinstance(value, dict):
        return {key: for_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
