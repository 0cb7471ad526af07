"""Two networks, or two groups of seeds, on the same videos: what differs, and whether it is chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glore_video.choices import Correction, check_choice
from glore_video.errors import UsageError
from glore_video.statistics.intervals import mean_interval, percent_interval
from glore_video.statistics.significance import (
    benjamini_hochberg,
    holm,
    mcnemar_exact,
    paired_t,
)
from glore_video.tasks.classification.alignment import Predictions, aligned, common_videos
from glore_video.tasks.classification.ranking import NO_CLASS


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class in both groups.

    Attributes:
        videos: of this class.
        first, second: its accuracy in each group, percent.
        p: of McNemar's exact test. Of groups: the same with videos that more runs of the one have
            right than of the other; None if the groups are not of the same size.
        adjusted: p corrected for the number of classes.
    """

    name: str
    videos: int
    first: float
    second: float
    p: float | None
    adjusted: float | None


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A video that all of one group have right and all of the other wrong."""

    path: str
    label: str
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Second group against first. Accuracies and their differences in percent (points).

    Attributes:
        first, second: where the runs were read from.
        first_top1, second_top1: of each run, on the videos that are compared.
        first_interval, second_interval: 95% bootstrap intervals over videos, of the group's mean.
        difference: mean of the second group minus mean of the first.
        interval: 95% bootstrap interval of the difference over videos: it stands for drawing
            other test videos, not for training again.
        only_first, only_second: videos that one run of a pair has right and the other wrong; None
            for groups of several.
        mcnemar: p of McNemar's exact test; None for groups of several.
        seed_p: p of the paired t test over seeds, which stands for training again; None unless
            both groups have the same number of runs, two or more.
        videos: that are compared.
        missing: of each run, the videos that others have and it has not.
        not_finite: of each run, how many of the videos have no finite scores, if there are any:
            they count as wrong.
        gained, lost: videos that flipped to right and to wrong.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    first_top1: tuple[float, ...]
    second_top1: tuple[float, ...]
    first_interval: tuple[float, float]
    second_interval: tuple[float, float]
    difference: float
    interval: tuple[float, float]
    only_first: int | None
    only_second: int | None
    mcnemar: float | None
    seed_p: float | None
    videos: int
    missing: dict[str, tuple[str, ...]]
    not_finite: dict[str, int]
    correction: Correction
    classes: tuple[ClassChange, ...]
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]


def compare(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    *,
    allow_missing: bool = False,
    correction: Correction = "holm",
) -> Comparison:
    """Compare two runs, or two groups of seeds, run n of the one with run n of the other.

    Args:
        allow_missing: compare the videos that all runs have, where the lists differ.

    Raises:
        ValueError: the lists, labels or classes differ, or no video is in all; unknown correction.
    """
    check_choice("correction", correction, Correction)
    runs = [*first, *second]
    if not first or not second:
        raise UsageError("both sides need at least one run")
    keys, missing = common_videos(runs, allow_missing)
    labels, predicted = aligned(runs, keys)
    right = predicted == labels  # (runs, videos)
    before, after = right[: len(first)], right[len(first) :]
    single = len(first) == len(second) == 1
    paired_seeds = len(first) == len(second) >= 2
    per_video = 100.0 * (after.mean(axis=0) - before.mean(axis=0))  # (videos,)
    only_first = only_second = mcnemar = None
    if single:
        only_first, only_second = (int((one & ~other).sum()) for one, other in _both_ways(right))
        mcnemar = mcnemar_exact(only_first, only_second)
    top1 = [100.0 * float(row.mean()) for row in right]
    names = runs[0].class_names
    return Comparison(
        first=tuple(run.source for run in first),
        second=tuple(run.source for run in second),
        first_top1=tuple(top1[: len(first)]),
        second_top1=tuple(top1[len(first) :]),
        first_interval=percent_interval(before.mean(axis=0)),
        second_interval=percent_interval(after.mean(axis=0)),
        difference=float(per_video.mean()),
        interval=mean_interval(per_video, bounds=(-100.0, 100.0)),
        only_first=only_first,
        only_second=only_second,
        mcnemar=mcnemar,
        seed_p=paired_t((100 * (after.mean(axis=1) - before.mean(axis=1))).tolist())
        if paired_seeds
        else None,
        videos=len(keys),
        missing=missing,
        not_finite={
            run.source: count
            for run, row in zip(runs, predicted, strict=True)
            if (count := int((row == NO_CLASS).sum()))
        },
        correction=correction,
        classes=_class_changes(before, after, labels, names, correction),
        gained=_flips(keys, labels, predicted, names, len(first), ~before.any(0) & after.all(0)),
        lost=_flips(keys, labels, predicted, names, len(first), before.all(0) & ~after.any(0)),
    )


def _both_ways(right: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return (right[0], right[1]), (right[1], right[0])


def _class_changes(
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    correction: Correction,
) -> tuple[ClassChange, ...]:
    """For each class that has videos."""
    rows = []
    for number in np.unique(labels).tolist():
        own = labels == number
        first, second = before[:, own], after[:, own]  # (runs, videos of the class)
        p = None
        if len(first) == len(second):
            change = second.sum(axis=0, dtype=np.int64) - first.sum(axis=0, dtype=np.int64)
            p = mcnemar_exact(int((change < 0).sum()), int((change > 0).sum()))
        rows.append((names[number], int(own.sum()), 100 * first.mean(), 100 * second.mean(), p))
    values = [row[4] for row in rows if row[4] is not None]
    adjust = holm if correction == "holm" else benjamini_hochberg
    adjusted: list[float | None] = (
        list(adjust(values)) if len(values) == len(rows) else [None] * len(rows)
    )
    return tuple(
        ClassChange(
            name=name, videos=videos, first=float(a), second=float(b), p=p, adjusted=corrected
        )
        for (name, videos, a, b, p), corrected in zip(rows, adjusted, strict=True)
    )


def _flips(
    keys: list[tuple[str, int]],
    labels: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    num_first: int,
    chosen: np.ndarray,
) -> tuple[Flip, ...]:
    return tuple(
        Flip(
            path=keys[place][0],
            label=names[labels[place]],
            first=tuple(_name(names, n) for n in predicted[:num_first, place]),
            second=tuple(_name(names, n) for n in predicted[num_first:, place]),
        )
        for place in np.flatnonzero(chosen).tolist()
    )


def _name(names: Sequence[str], number: int) -> str:
    return "not finite" if number == NO_CLASS else names[number]
