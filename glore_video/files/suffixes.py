"""Files whose format follows from their suffix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from glore_video.errors import UsageError


def check_suffix(path: str | os.PathLike[str], allowed: Sequence[str], what: str) -> None:
    """Raises UsageError unless a path ends with one of the suffixes; what: "a timeline"."""
    if Path(path).suffix.lower() not in allowed:
        kinds = " or ".join(f"a {suffix}" for suffix in allowed)
        raise UsageError(f"{os.fspath(path)}: {what} is {kinds} file")
