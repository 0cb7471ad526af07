"""Numbers of a benchmark as a JSON file: where and how they were taken, and a row a line."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from results_text import as_text
from timing import device_name

from glore_video.files.whole_files import replace_file


def command_line() -> str:
    """The command that runs now, to be typed again; where results are written is left out."""
    words = sys.argv[1:]
    if "--json" in words:
        at = words.index("--json")
        del words[at : at + 2]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def write_results(
    path: str | None, device: torch.device, rows: Iterable[Mapping[str, Any]], **facts: Any
) -> None:
    """Write what is there by now, whole or not at all; None: nowhere.

    Args:
        path: the file; folders above it are made.
        device: that was measured.
        rows: flat; what is None is left out.
        facts: of all rows.
    """
    if path is None:
        return
    head = {
        "command": command_line(),
        "device": device_name(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        **facts,
    }
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, as_text(head, rows).encode())
