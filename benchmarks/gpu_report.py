"""What the docs say of a GPU: tables of gpu.json, or that there is none yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

UNMEASURED = """
Not measured on a GPU. `bash benchmarks/gpu.sh` on a machine with one ends within eight minutes (what would take
longer is cut off) and leaves `outputs/gpu/gpu.json`; copied to `benchmarks/results/gpu.json`, `python benchmarks/docs_tables.py` makes the
tables of it that will stand here: a unit in every form, whole networks, what the loop and the reading of
videos leave of the bare step's rate.

"""


def gpu_section(gpu: dict[str, Any] | None) -> str:
    """The text between the docs' markers."""
    if gpu is None:
        return UNMEASURED
    results = gpu["results"]
    blocks = [states(gpu["parts"], results)]
    if "rates" in results:
        rates = {k: v for k, v in results["rates"].items() if isinstance(v, float)}
        told = ", ".join(f"{name} {value:.2g}" for name, value in rates.items())
        blocks.append(f"`benchmarks/device_rates.py`: {told}.")
    if "unit" in results:
        blocks += unit_tables(results["unit"]["rows"])
    for part in ("network_training", "network_inference"):
        if part in results:
            blocks.append(network_table(results[part]))
    if "loop" in results:
        loop = results["loop"]
        blocks.append(
            f"`{loop['command']}`: the loop takes {loop['ratio']:.3f} of the bare steps' time."
        )
    if "run" in results:
        run = results["run"]
        share = f", {run['of_bare_step']:.0%} of the bare step's" if run.get("of_bare_step") else ""
        blocks.append(f"`{run['command']}`: {run['clips_per_second']:.0f} clips/s{share}.")
    return "\n".join(["", *(f"{block}\n" for block in blocks), ""])


def states(parts: Sequence[dict[str, Any]], results: dict[str, Any]) -> str:
    """Where it was measured, how the tests went, and what was not done."""
    measured = [result for result in results.values() if "device" in result]
    where = sorted({f"{result['device']}, torch {result['torch']}" for result in measured})
    lines = [f"`bash benchmarks/gpu.sh`, {'; '.join(where) or 'nothing measured'}."]
    if "tests" in results:
        tests = results["tests"]
        lines.append(
            f"Tests on it: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped."
        )
    lines += [f"{each['part']}: {each['ended']}." for each in parts if each["ended"] != "done"]
    return "\n".join(lines)


def unit_tables(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table a size and pass: forms eager, and compiled where they were."""
    sizes: dict[tuple, dict[str, dict[str, dict]]] = {}
    for row in rows:
        layout = ", channels-last" if row["channels_last"] else ""
        title = (
            f"{row['stage'].capitalize()}, {row['batch']} clips of {row['frames']} frames, "
            f"{row['dtype']}{layout}, {row['pass']}"
        )
        forms = sizes.setdefault((title,), {})
        forms.setdefault(row["form"], {})[row["mode"]] = row
    tables = []
    for (title,), forms in sizes.items():
        head = [title, "kernels", "ms", "ratio", "/ floor", "compiled ms", "ratio", "/ floor"]
        body = [
            [
                form,
                *(_number(modes.get("eager"), *key) for key in (("kernels", 1, 0), *_TIMES)),
                *(_number(modes.get("compiled"), *key) for key in _TIMES),
            ]
            for form, modes in forms.items()
        ]
        tables.append(table(head, body))
    return tables


_TIMES = (("seconds", 1e3, 3), ("ratio", 1, 2), ("over_floor", 1, 1))


def network_table(result: dict[str, Any]) -> str:
    """Forms of one pass; the first of those that were measured again and again."""
    head = [f"`{result['command']}`", "kernels", "ms", "ratio", "peak GB", "units add %"]
    keys = (("kernels", 1, 0), ("seconds", 1e3, 1), ("ratio", 1, 2), ("peak_bytes", 1e-9, 2))
    body = {}
    for row in result["rows"]:
        words = [row["network"], *(key for key in ("fused", "channels_last", "bf16") if row[key])]
        words += [f"compiled ({row['compiled']})"] if row["compiled"] else []
        name = ", ".join(words).replace("channels_last", "channels-last")
        numbers = [_number(row, *key) for key in (*keys, ("units_share", 1e2, 1))]
        body.setdefault(name, [name, *numbers])
    return table(head, body.values())


def _number(row: dict[str, Any] | None, key: str, scale: float, decimals: int) -> str:
    value = None if row is None else row.get(key)
    return "" if value is None else f"{value * scale:.{decimals}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("  |", " |") for line in lines)
