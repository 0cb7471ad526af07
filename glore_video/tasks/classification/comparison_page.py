"""Comparisons as lines of text, as JSON, and as one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.files.whole_files import replace_file
from glore_video.reports.pages import p_value, render
from glore_video.tasks.classification.comparison import Comparison, Flip, Group
from glore_video.tasks.classification.saved_scores import FILE
from glore_video.tasks.saved_tests import (
    corrected,
    difference_line,
    group_line,
    missing_line,
    run_name,
    spread,
    verdict,
)

FLIPS_SHOWN = 2000
MISSING_SHOWN = 500


def deciding_p(comparisons: Sequence[Comparison]) -> list[float | None]:
    """McNemar's p, or that over seeds; corrected after Holm for as many comparisons as have one."""
    return corrected([_own_p(one) for one in comparisons])


def _own_p(one: Comparison) -> float | None:
    if one.seed_p is not None:
        return one.seed_p
    return None if one.mcnemar is None else one.mcnemar.p


def text_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    decided = deciding_p(comparisons)
    tests = sum(p is not None for p in decided)
    for one, p in zip(comparisons, decided, strict=True):
        samples = one.coverage.kind.plural
        yield f"first   {', '.join(one.first.sources)}"
        yield f"second  {', '.join(one.second.sources)}"
        for name, group in (("first", one.first), ("second", one.second)):
            yield group_line("top-1", name, group.top1, group.interval)
        yield difference_line(one.difference, one.interval, f"{one.coverage.samples} {samples}")
        if one.mcnemar is not None:
            yield (
                f"McNemar's exact test: p {p_value(one.mcnemar.p)} ({one.mcnemar.only_first} {samples} "
                f"only the first has right, {one.mcnemar.only_second} only the second)"
            )
        if one.seed_p is not None:
            yield f"paired t test over {len(one.first.top1)} seeds: p {p_value(one.seed_p)}"
        if tests > 1 and p is not None:
            yield f"corrected for {tests} comparisons: p {p_value(p)}"
        yield verdict(one.difference, one.interval, p=p)
        changed = [row for row in one.classes if row.adjusted is not None and row.adjusted < 0.05]
        for row in sorted(changed, key=lambda row: row.second - row.first):
            yield f"  {row.name}: {row.first:.1f}% -> {row.second:.1f}% of {row.samples} {samples}"
        if one.classes and one.classes[0].adjusted is not None:
            yield f"{len(changed)} of {len(one.classes)} classes change (corrected p < 0.05)"
        yield f"{len(one.gained)} {samples} flipped to right, {len(one.lost)} to wrong"
        for source, count in one.coverage.not_finite.items():
            yield f"{source}: the scores of {count} {samples} are not finite, they count as wrong"
        for source, paths in one.coverage.missing.items():
            yield missing_line(source, paths, samples)


def write_comparison(folder: Path, comparisons: Sequence[Comparison]) -> None:
    """Write comparison.json and comparison.html."""
    folder.mkdir(parents=True, exist_ok=True)
    corrected = deciding_p(comparisons)
    found = [_plain(one, p) for one, p in zip(comparisons, corrected, strict=True)]
    text = json.dumps({"comparisons": found}, indent=1)
    replace_file(folder / "comparison.json", (text + "\n").encode())
    page = render(
        "comparison.html",
        comparisons=[_shown(one, p) for one, p in zip(comparisons, corrected, strict=True)],
        kind=comparisons[0].coverage.kind,
        grouped=any(_several(one) for one in comparisons),
    )
    replace_file(folder / "comparison.html", page)


def _several(one: Comparison) -> bool:
    return max(len(one.first.top1), len(one.second.top1)) > 1


def _plain(one: Comparison, corrected_p: float | None) -> dict[str, Any]:
    """For comparison.json."""
    number = one.coverage.kind.plural
    test = one.mcnemar
    return {
        "first": one.first.sources,
        "second": one.second.sources,
        "first_top1": one.first.top1,
        "second_top1": one.second.top1,
        "first_interval": one.first.interval,
        "second_interval": one.second.interval,
        "difference": one.difference,
        "interval": one.interval,
        "only_first": None if test is None else test.only_first,
        "only_second": None if test is None else test.only_second,
        "mcnemar": None if test is None else test.p,
        "seed_p": one.seed_p,
        number: one.coverage.samples,
        "missing": one.coverage.missing,
        "not_finite": one.coverage.not_finite,
        "correction": one.correction,
        "classes": [
            {number if key == "samples" else key: value for key, value in vars(row).items()}
            for row in one.classes
        ],
        "gained": [vars(flip) for flip in one.gained],
        "lost": [vars(flip) for flip in one.lost],
        "corrected_p": corrected_p,
    }


def _shown(one: Comparison, p: float | None) -> dict[str, Any]:
    adjusted = [row.adjusted for row in one.classes if row.adjusted is not None]
    ways = {
        "holm": "p is corrected for the number of classes after Holm: one false alarm among all "
        "classes in 20 such comparisons.",
        "bh": "p is corrected after Benjamini and Hochberg: of the classes below 0.05, about 1 in "
        "20 is a false alarm.",
    }
    several = _several(one)
    by = "of all runs of the second, of none of the first" if several else "by the second only"
    not_by = "of all runs of the first, of none of the second" if several else "by the first only"
    return vars(one) | {
        "first": _shown_group(one.first),
        "second": _shown_group(one.second),
        "verdict": verdict(one.difference, one.interval, p=p),
        "classes": sorted(
            one.classes,
            key=lambda row: (1.0 if row.p is None else row.p, -abs(row.second - row.first)),
        ),
        "missing": [
            (source, paths[:MISSING_SHOWN], len(paths[MISSING_SHOWN:]))
            for source, paths in one.coverage.missing.items()
        ],
        "correction_text": ways[one.correction] if adjusted else "",
        "significant": sum(value < 0.05 for value in adjusted) if adjusted else None,
        "flips": [
            _flips(f"Got right {by}", one.gained, "gained"),
            _flips(f"Got right {not_by}", one.lost, "lost"),
        ],
    }


def _shown_group(group: Group) -> dict[str, Any]:
    return vars(group) | {
        "name": run_name(group.sources, FILE),
        "mean": float(np.mean(group.top1)),
        "spread": spread(group.top1),
        "runs": list(zip(group.sources, group.top1, strict=True)),
    }


def _flips(
    title: str, flips: tuple[Flip, ...], name: str
) -> tuple[str, tuple[Flip, ...], int, str]:
    return f"{title}: {len(flips)}", flips[:FLIPS_SHOWN], len(flips[FLIPS_SHOWN:]), name
