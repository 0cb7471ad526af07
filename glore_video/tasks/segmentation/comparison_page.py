"""Comparisons of segmentations as lines of text, as JSON, and as one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.files.whole_files import for_json, replace_file
from glore_video.reports.pages import p_value, printable, render
from glore_video.tasks.saved_tests import (
    corrected,
    difference_line,
    group_line,
    missing_line,
    run_name,
    spread,
    verdict,
)
from glore_video.tasks.segmentation.comparison import (
    ClassChange,
    PictureChange,
    SceneComparison,
    Side,
)
from glore_video.tasks.segmentation.saved_confusions import FILE

_LINES = 3  # pictures of either direction in the terminal
_SHOWN = 100  # on the page
_MISSING_SHOWN = 500


def deciding_p(comparisons: Sequence[SceneComparison]) -> list[float | None]:
    """p over seeds, corrected after Holm for as many comparisons as have one."""
    return corrected([one.seed_p for one in comparisons])


def text_lines(comparisons: Sequence[SceneComparison]) -> Iterator[str]:
    decided = deciding_p(comparisons)
    tests = sum(p is not None for p in decided)
    for one, p in zip(comparisons, decided, strict=True):
        yield f"first   {', '.join(one.first.sources)}"
        yield f"second  {', '.join(one.second.sources)}"
        for name, side in (("first", one.first), ("second", one.second)):
            yield group_line("mIoU ", name, side.miou, side.interval)
        yield difference_line(one.difference, one.interval, f"{one.compared} pictures")
        if one.seed_p is not None:
            yield f"paired t test over {len(one.first.miou)} seeds: p {p_value(one.seed_p)}"
        if tests > 1 and p is not None:
            yield f"corrected for {tests} comparisons: p {p_value(p)}"
        yield verdict(one.difference, one.interval, p=p)
        known = [row for row in one.classes if not np.isnan(row.difference)]
        changed = sorted((row for row in known if row.changes), key=lambda row: row.difference)
        for row in changed:
            low, high = row.interval
            yield (
                f"  {row.name}: {row.first:.1f}% -> {row.second:.1f}%, {row.difference:+.1f} "
                f"(95%: {low:+.1f} to {high:+.1f})"
            )
        yield (
            f"{len(changed)} of {len(known)} classes have an interval without 0, each by itself: of 20 "
            "that do not change about one has"
        )
        for pictures in (gained(one.pictures, _LINES), lost(one.pictures, _LINES)):
            for each in pictures:
                yield (
                    f"  {printable(each.path)}: {each.first:.1f}% -> {each.second:.1f}%, "
                    f"{each.difference:+.1f}"
                )
        for source, count in one.not_finite.items():
            yield f"{source}: pixels of {count} pictures have no finite scores, they count as wrong"
        for source, paths in one.missing.items():
            yield missing_line(source, paths, "pictures")


def gained(pictures: Sequence[PictureChange], most: int) -> list[PictureChange]:
    """Those whose mean IoU grows most, of pictures by their difference."""
    return [each for each in pictures[: -most - 1 : -1] if each.difference > 0]


def lost(pictures: Sequence[PictureChange], most: int) -> list[PictureChange]:
    """Those whose mean IoU shrinks most."""
    return [each for each in pictures[:most] if each.difference < 0]


def write_comparison(folder: Path, comparisons: Sequence[SceneComparison]) -> None:
    """Write comparison.json and comparison.html."""
    folder.mkdir(parents=True, exist_ok=True)
    corrected = deciding_p(comparisons)
    pairs = list(zip(comparisons, corrected, strict=True))
    text = json.dumps({"comparisons": [for_json(_plain(*pair)) for pair in pairs]}, indent=1)
    replace_file(folder / "comparison.json", (text + "\n").encode())
    page = render(
        "comparison_segmentation.html",
        comparisons=[_shown(*pair) for pair in pairs],
        grouped=any(max(len(one.first.miou), len(one.second.miou)) > 1 for one in comparisons),
    )
    replace_file(folder / "comparison.html", page)


def _plain(one: SceneComparison, corrected_p: float | None) -> dict[str, Any]:
    """For comparison.json."""
    return {
        "first": one.first.sources,
        "second": one.second.sources,
        "first_miou": one.first.miou,
        "second_miou": one.second.miou,
        "first_interval": one.first.interval,
        "second_interval": one.second.interval,
        "difference": one.difference,
        "interval": one.interval,
        "seed_p": one.seed_p,
        "corrected_p": corrected_p,
        "pictures": one.compared,
        "missing": one.missing,
        "not_finite": one.not_finite,
        "classes": [vars(row) | {"difference": row.difference} for row in one.classes],
        "by_picture": [vars(each) | {"difference": each.difference} for each in one.pictures],
    }


def _shown(one: SceneComparison, p: float | None) -> dict[str, Any]:
    return vars(one) | {
        "first": _shown_side(one.first),
        "second": _shown_side(one.second),
        "verdict": verdict(one.difference, one.interval, p=p),
        "classes": sorted(one.classes, key=_by_size),
        "changed": sum(row.changes for row in one.classes),
        "known": sum(not np.isnan(row.difference) for row in one.classes),
        "missing": [
            (source, paths[:_MISSING_SHOWN], len(paths[_MISSING_SHOWN:]))
            for source, paths in one.missing.items()
        ],
        "pictures": [
            ("Pictures that gain most", gained(one.pictures, _SHOWN), "gained"),
            ("Pictures that lose most", lost(one.pictures, _SHOWN), "lost"),
        ],
    }


def _by_size(row: ClassChange) -> float:
    """Large changes first, classes that occur nowhere last."""
    return 1.0 if np.isnan(row.difference) else -abs(row.difference)


def _shown_side(side: Side) -> dict[str, Any]:
    return vars(side) | {
        "name": run_name(side.sources, FILE),
        "mean": float(np.mean(side.miou)),
        "spread": spread(side.miou),
        "runs": list(zip(side.sources, side.miou, strict=True)),
    }
