"""Numbers of a benchmark as JSON that can be read and compared line by line; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from glore_video.files.whole_files import for_json


def as_text(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """A JSON object with a line for each of `head` and for each of its "rows"."""
    lines = [f" {json.dumps(name)}: {json.dumps(for_json(_short(head[name])))}," for name in head]
    kept = [{key: _short(value) for key, value in row.items() if value is not None} for row in rows]
    table = ",\n".join(f"  {json.dumps(for_json(row))}" for row in kept)
    return "\n".join(["{", *lines, ' "rows": [', table, " ]", "}", ""])


def _short(value: Any) -> Any:
    """Numbers with four digits that count, where they are no whole ones."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
