"""Small files written whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, writer: str = "") -> None:
    """Write a file whole, or leave what is there.

    writer: tells apart those that may write the same file at the same time.
    """
    temporary = path.with_name(f"{path.name}{writer}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
