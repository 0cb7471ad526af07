"""The folder that a test leaves, read back for its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glore_video.errors import MissingFileError, UsageError

UNSCORED_SHOWN = 1000


def find_file(path: Path, name: str) -> Path:
    """The file that a test has left: `path` itself, or in that test's folder or its run's OUTPUT_DIR.

    Raises MissingFileError if there is none.
    """
    if path.is_dir():
        for candidate in (path / name, path / "test" / name):
            if candidate.is_file():
                return candidate
        raise MissingFileError(f"{path}: holds no {name} and no test/{name}")
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file or folder")
    return path


def read_summary(folder: Path) -> dict[str, Any]:
    """What summary.json holds. Raises MissingFileError, or UsageError if it is no summary."""
    path = folder / "summary.json"
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from None
    if not isinstance(summary, dict):
        raise UsageError(f"{path}: is no summary of a test, but a {type(summary).__name__}")
    return summary


def read_config(folder: Path) -> str:
    """The text of config.yaml in the folder, or else in its parent; "" if there is none."""
    for path in (folder / "config.yaml", folder.parent / "config.yaml"):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


def unscored(summary: Mapping[str, Any]) -> dict[str, tuple[list[tuple[str, str]], int]]:
    """Under "failed" and "left_out": the first samples with their reasons, and how many more."""
    found = {
        part: [(each["path"], each["reason"]) for each in summary.get(part, [])]
        for part in ("failed", "left_out")
    }
    return {
        part: (samples[:UNSCORED_SHOWN], len(samples[UNSCORED_SHOWN:]))
        for part, samples in found.items()
    }
