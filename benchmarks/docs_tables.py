"""Tables of docs/benchmarks.md from the numbers in benchmarks/results, between the docs' markers.

    python benchmarks/docs_tables.py            # write them
    python benchmarks/docs_tables.py --check    # or only say whether the docs agree

`unit_counts.json` and `unit_compiled_counts.json` are of `benchmarks/unit.py --counts`, the commands
standing in them; `gpu.json`, if there is one, of `benchmarks/gpu.sh`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from gpu_report import gpu_section, table

from glore_video.cli.arguments import Parser

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
HALF = "bfloat16"


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the docs differ")
    args = parser.parse_args(argv)
    old = PAGE.read_text(encoding="utf-8")
    new = with_sections(old, sections(RESULTS))
    if new == old:
        print(f"{PAGE.relative_to(ROOT)} agrees with benchmarks/results")
        return 0
    if args.check:
        print(f"error: {PAGE.relative_to(ROOT)} differs; run python benchmarks/docs_tables.py")
        return 1
    PAGE.write_text(new, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} written")
    return 0


def sections(results: Path) -> dict[str, str]:
    """Marker -> what stands between its two comments."""
    counts, compiled, gpu = (
        json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        for path in (results / f"{n}.json" for n in ("unit_counts", "unit_compiled_counts", "gpu"))
    )
    return {"counts": counts_section(counts, compiled), "gpu": gpu_section(gpu)}


def with_sections(page: str, texts: dict[str, str]) -> str:
    """The page with each text between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""
    for name, text in texts.items():
        pattern = rf"(<!-- {name}: begin [^\n]*-->\n).*?(<!-- {name}: end -->)"
        page, found = re.subn(pattern, lambda m, t=text: m[1] + t + m[2], page, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"the page has {found} sections {name}, not one")
    return page


def counts_section(counts: dict[str, Any], compiled: dict[str, Any]) -> str:
    rows, compiled_rows = counts["rows"], compiled["rows"]
    first = rows[0]
    columns: list[tuple[str, Callable[[str], dict | None]]] = [
        (f"{p}, {d.replace('float32', 'fp32').replace(HALF, 'bf16')}", picker(rows, "eager", p, d))
        for p in ("training", "inference")
        for d in ("float32", HALF)
    ]
    columns += [
        (f"{p}, bf16, compiled", picker(compiled_rows, "compiled", p, HALF))
        for p in ("training", "inference")
    ]
    forms = list(dict.fromkeys(row["form"] for row in rows))
    launches = table(
        ["launches", *(title for title, _ in columns)],
        ([form, *(cell(pick(form), "launches") for _, pick in columns)] for form in forms),
    )
    blocks = [
        "Launches: eager operators that are no views, compiled library calls and fused kernels of "
        f"torch {compiled['torch'].partition('+')[0]}'s inductor\non a CPU.\n\n{launches}"
    ]
    for stage in dict.fromkeys(row["stage"] for row in rows):
        here = [row for row in rows if row["stage"] == stage]
        trained, inferred = (picker(here, "eager", p, HALF) for p in ("training", "inference"))
        there = [row for row in compiled_rows if row["stage"] == stage]
        ahead = picker(there, "compiled", "training", HALF)
        body = [
            [
                form,
                cell(inferred(form), "forward_macs", 1e9, 2),
                cell(trained(form), "moved_bytes", 1e6, 0),
                cell(trained(form), "saved_bytes", 1e6, 0),
                *([cell(ahead(form), "saved_bytes", 1e6, 0)] if there else []),
                cell(trained(form), "peak_bytes", 1e6, 0),
                cell(inferred(form), "moved_bytes", 1e6, 0),
            ]
            for form in forms
        ]
        floors = [cell(pick("published"), "floor_bytes", 1e6, 0) for pick in (trained, inferred)]
        empty = [""] * (3 if there else 2)
        body.append(["any unit, at least", "", floors[0], *empty, floors[1]])
        head = ["GMACs, inference", "training moves MB", "saves MB"]
        head += ["saves MB, compiled"] if there else []
        head += ["needs MB", "inference moves MB"]
        title = f"{stage.capitalize()}, {first['batch']} clips of {first['frames']} frames, bf16"
        blocks.append(table([title, *head], body))
    return "\n".join(["", *(f"{block}\n" for block in blocks)])


def picker(
    rows: Iterable[dict[str, Any]], mode: str, which: str, dtype: str
) -> Callable[[str], dict[str, Any] | None]:
    """A function: form -> its first row of a mode, pass and dtype, if there is one."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if (row["mode"], row["pass"], row["dtype"]) == (mode, which, dtype):
            found.setdefault(row["form"], row)
    return found.get


def cell(row: dict[str, Any] | None, key: str, unit: float = 1, decimals: int = 0) -> str:
    value = None if row is None else row.get(key)
    return "" if value is None else f"{value / unit:.{decimals}f}"


if __name__ == "__main__":
    raise SystemExit(main())
