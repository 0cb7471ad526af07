"""Comparisons as lines of text, as JSON, and as one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.files.whole_files import replace_file
from glore_video.reports.pages import p_value, printable, render, signed
from glore_video.statistics.significance import holm
from glore_video.tasks.classification.comparison import Comparison, Flip

FLIPS_SHOWN = 2000
MISSING_SHOWN = 500


def verdict(comparison: Comparison, *, p: float | None) -> str:
    """One sentence. p: of the test that decides, corrected if there are several comparisons."""
    better = "second" if comparison.difference > 0 else "first"
    if p is None:
        low, high = comparison.interval
        if low <= 0 <= high:
            return "The interval of the difference holds 0."
        return f"The {better} is better: the interval of the difference does not hold 0."
    if p < 0.05:
        return f"The {better} is better: p {p_value(p)}."
    return f"The difference can't be told from chance: p {p_value(p)}."


def deciding_p(comparisons: Sequence[Comparison]) -> list[float | None]:
    """McNemar's p, or that over seeds; corrected after Holm for as many comparisons as have one."""
    values = [one.mcnemar if one.seed_p is None else one.seed_p for one in comparisons]
    corrected = iter(holm([p for p in values if p is not None]))
    return [None if p is None else next(corrected) for p in values]


def text_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    decided = deciding_p(comparisons)
    tests = sum(p is not None for p in decided)
    for one, p in zip(comparisons, decided, strict=True):
        yield f"first   {', '.join(one.first)}"
        yield f"second  {', '.join(one.second)}"
        for name, values, ends in (
            ("first", one.first_top1, one.first_interval),
            ("second", one.second_top1, one.second_interval),
        ):
            spread = f", standard deviation over {len(values)} runs {_spread(values)}"
            yield (
                f"top-1 {name:<6} {np.mean(values):6.2f}%  95%: {ends[0]:.2f} to {ends[1]:.2f}"
                f"{spread if len(values) > 1 else ''}"
            )
        yield (
            f"difference   {one.difference:+6.2f}   95%: {one.interval[0]:+.2f} to "
            f"{one.interval[1]:+.2f}  ({one.videos} videos)"
        )
        if one.mcnemar is not None:
            yield (
                f"McNemar's exact test: p {p_value(one.mcnemar)} ({one.only_first} videos only the "
                f"first has right, {one.only_second} only the second)"
            )
        if one.seed_p is not None:
            yield f"paired t test over {len(one.first)} seeds: p {p_value(one.seed_p)}"
        if tests > 1 and p is not None:
            yield f"corrected for {tests} comparisons: p {p_value(p)}"
        yield verdict(one, p=p)
        changed = [row for row in one.classes if row.adjusted is not None and row.adjusted < 0.05]
        for row in sorted(changed, key=lambda row: row.second - row.first):
            yield f"  {row.name}: {row.first:.1f}% -> {row.second:.1f}% of {row.videos} videos"
        if one.classes and one.classes[0].adjusted is not None:
            yield f"{len(changed)} of {len(one.classes)} classes change (corrected p < 0.05)"
        yield f"{len(one.gained)} videos flipped to right, {len(one.lost)} to wrong"
        for source, count in one.not_finite.items():
            yield f"{source}: the scores of {count} videos are not finite, they count as wrong"
        for source, paths in one.missing.items():
            yield f"{source} lacks {len(paths)} videos, {printable(paths[0])} among them"


def write_comparison(folder: Path, comparisons: Sequence[Comparison]) -> None:
    """Write comparison.json and comparison.html."""
    folder.mkdir(parents=True, exist_ok=True)
    corrected = deciding_p(comparisons)
    found = [
        {**asdict(one), "corrected_p": p} for one, p in zip(comparisons, corrected, strict=True)
    ]
    text = json.dumps({"comparisons": found}, indent=1)
    replace_file(folder / "comparison.json", (text + "\n").encode())
    page = render(
        "comparison.html",
        comparisons=[_shown(one, p) for one, p in zip(comparisons, corrected, strict=True)],
        grouped=any(max(len(one.first), len(one.second)) > 1 for one in comparisons),
    )
    replace_file(folder / "comparison.html", page)


def _shown(one: Comparison, p: float | None) -> dict[str, Any]:
    adjusted = [row.adjusted for row in one.classes if row.adjusted is not None]
    ways = {
        "holm": "p is corrected for the number of classes after Holm: one false alarm among all "
        "classes in 20 such comparisons.",
        "bh": "p is corrected after Benjamini and Hochberg: of the classes below 0.05, about 1 in "
        "20 is a false alarm.",
    }
    several = len(one.first) > 1 or len(one.second) > 1
    by = "of all runs of the second, of none of the first" if several else "by the second only"
    not_by = "of all runs of the first, of none of the second" if several else "by the first only"
    return vars(one) | {
        "first_name": _name(one.first),
        "second_name": _name(one.second),
        "first_mean": float(np.mean(one.first_top1)),
        "second_mean": float(np.mean(one.second_top1)),
        "first_spread": _spread(one.first_top1),
        "second_spread": _spread(one.second_top1),
        "mcnemar_more": f"right {one.only_first} : {one.only_second} alone",
        "seeds": [
            *zip(one.first, one.first_top1, strict=True),
            *zip(one.second, one.second_top1, strict=True),
        ],
        "verdict": verdict(one, p=p),
        "classes": sorted(
            one.classes,
            key=lambda row: (1.0 if row.p is None else row.p, -abs(row.second - row.first)),
        ),
        "missing": [
            (source, paths[:MISSING_SHOWN], len(paths[MISSING_SHOWN:]))
            for source, paths in one.missing.items()
        ],
        "correction_text": ways[one.correction] if adjusted else "",
        "significant": sum(value < 0.05 for value in adjusted) if adjusted else None,
        "flips": [
            _flips(f"Got right {by}", one.gained, "gained"),
            _flips(f"Got right {not_by}", one.lost, "lost"),
        ],
    }


def _flips(
    title: str, flips: tuple[Flip, ...], name: str
) -> tuple[str, tuple[Flip, ...], int, str]:
    return f"{title}: {len(flips)}", flips[:FLIPS_SHOWN], len(flips[FLIPS_SHOWN:]), name


def _name(sources: Sequence[str]) -> str:
    """The run's folder: of outputs/x/test/scores.npz it is x."""
    names = []
    for source in sources:
        parts = [part for part in Path(source).parts if part not in ("test", "scores.npz", "/")]
        names.append(parts[-1] if parts else source)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _spread(values: Sequence[float]) -> str:
    return signed(float(np.std(values, ddof=1)))[1:] if len(values) > 1 else "-"
