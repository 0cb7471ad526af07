"""One JSON file of what the parts of `benchmarks/gpu.sh` have written so far; needs no torch.

    python benchmarks/gpu_join.py FOLDER STATES

FOLDER holds a JSON file a part, and maybe tests.xml of pytest; gpu.json is written there. STATES has a line
a part, tabs between: name, seconds, how it ended.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from results_text import as_text

from glore_video.files.whole_files import replace_file

JOINED = "gpu.json"
PARTS = ("rates", "tests", "unit", "network_training", "network_inference", "loop", "run")


def main(argv: Sequence[str]) -> None:
    folder, states = map(Path, argv)
    ended = states_of(states.read_text(encoding="utf-8") if states.is_file() else "")
    found = {part: text for part in PARTS if (text := part_of(folder, part)) is not None}
    replace_file(folder / JOINED, joined(ended, found).encode())


def states_of(text: str) -> list[dict[str, Any]]:
    """A row a part: its name, seconds and how it ended."""
    rows = []
    for line in text.splitlines():
        part, seconds, ended = line.split("\t")
        rows.append({"part": part, "seconds": int(seconds), "ended": ended})
    return rows


def part_of(folder: Path, part: str) -> str | None:
    """The JSON that a part has left."""
    if part == "tests" and (folder / "tests.xml").is_file():
        rows = results_of_tests(folder / "tests.xml")
        counts = {
            state: sum(row["state"] == state for row in rows)
            for state in ("passed", "failed", "skipped")
        }
        return as_text(counts, [row for row in rows if row["state"] == "failed"])
    path = folder / f"{part}.json"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def results_of_tests(path: Path) -> list[dict[str, str]]:
    """Of pytest's XML a row a test: its name and whether it passed, failed or was skipped."""
    rows = []
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        state = (
            "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else ""
        )
        name = f"{case.get('classname')}.{case.get('name')}"
        rows.append({"test": name, "state": state or "passed"})
    return rows


def joined(ended: Sequence[dict[str, Any]], found: dict[str, str]) -> str:
    """{"parts": how each ended, "results": what each wrote}."""
    parts = ",\n".join(f"  {json.dumps(row)}" for row in ended)
    results = ",\n".join(f'"{part}": {text.strip()}' for part, text in found.items())
    return f'{{\n"parts": [\n{parts}\n],\n"results": {{\n{results}\n}}\n}}\n'


if __name__ == "__main__":
    main(sys.argv[1:])
