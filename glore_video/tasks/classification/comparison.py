"""Two networks, or two groups of seeds, on the same samples: what differs, and whether it is chance."""

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
from glore_video.tasks.classification.alignment import Predictions, aligned
from glore_video.tasks.classification.ranking import NO_CLASS
from glore_video.tasks.sample_kinds import SampleKind
from glore_video.tasks.sample_matching import common_samples


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class in both groups.

    Attributes:
        samples: of this class.
        first, second: its accuracy in each group, percent.
        p: of McNemar's exact test. Of groups: the same with samples that more runs of the one have
            right than of the other; None if the groups are not of the same size.
        adjusted: p corrected for the number of classes.
    """

    name: str
    samples: int
    first: float
    second: float
    p: float | None
    adjusted: float | None


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A sample that all of one group have right and all of the other wrong."""

    path: str
    label: str
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """One run, or the seeds of one network, on the samples that are compared.

    Attributes:
        sources: where the runs were read from.
        top1: of each run, percent.
        interval: 95% bootstrap interval over samples, of the group's mean.
    """

    sources: tuple[str, ...]
    top1: tuple[float, ...]
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What is compared.

    Attributes:
        kind, samples: what the samples are, and how many.
        missing: of each run, the samples that others have and it has not.
        not_finite: of each run, how many of the samples have no finite scores, if there are any:
            they count as wrong.
    """

    kind: SampleKind
    samples: int
    missing: dict[str, tuple[str, ...]]
    not_finite: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Samples that one run of a pair has right and the other wrong, and p of the exact test."""

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Second group against first. Accuracies and their differences in percent (points).

    Attributes:
        difference: mean of the second group minus mean of the first.
        interval: 95% bootstrap interval of the difference over samples: it stands for drawing
            other test samples, not for training again.
        mcnemar: None for groups of several.
        seed_p: p of the paired t test over seeds, which stands for training again; None unless
            both groups have the same number of runs, two or more.
        gained, lost: samples that flipped to right and to wrong.
    """

    first: Group
    second: Group
    difference: float
    interval: tuple[float, float]
    mcnemar: McNemar | None
    seed_p: float | None
    coverage: Coverage
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
        allow_missing: compare the samples that all runs have, where the lists differ.

    Raises:
        ValueError: the lists, labels or classes differ, or no sample is in all; unknown correction.
    """
    check_choice("correction", correction, Correction)
    runs = [*first, *second]
    if not first or not second:
        raise UsageError("both sides need at least one run")
    keys, missing = common_samples(runs, allow_missing)
    labels, predicted = aligned(runs, keys)
    right = predicted == labels  # (runs, samples)
    before, after = right[: len(first)], right[len(first) :]
    paired_seeds = len(first) == len(second) >= 2
    per_sample = 100.0 * (after.mean(axis=0) - before.mean(axis=0))  # (samples,)
    seeds = (100 * (after.mean(axis=1) - before.mean(axis=1))).tolist() if paired_seeds else []
    names = runs[0].class_names
    return Comparison(
        first=_group(first, before),
        second=_group(second, after),
        difference=float(per_sample.mean()),
        interval=mean_interval(per_sample, bounds=(-100.0, 100.0)),
        mcnemar=_mcnemar(*right) if len(first) == len(second) == 1 else None,
        seed_p=paired_t(seeds) if paired_seeds else None,
        coverage=Coverage(
            kind=runs[0].kind,
            samples=len(keys),
            missing=missing,
            not_finite={
                run.source: count
                for run, row in zip(runs, predicted, strict=True)
                if (count := int((row == NO_CLASS).sum()))
            },
        ),
        correction=correction,
        classes=_class_changes(before, after, labels, names, correction),
        gained=_flips(keys, labels, predicted, names, len(first), ~before.any(0) & after.all(0)),
        lost=_flips(keys, labels, predicted, names, len(first), before.all(0) & ~after.any(0)),
    )


def _group(runs: Sequence[Predictions], right: np.ndarray) -> Group:
    return Group(
        sources=tuple(run.source for run in runs),
        top1=tuple(100.0 * float(row.mean()) for row in right),
        interval=percent_interval(right.mean(axis=0)),
    )


def _mcnemar(before: np.ndarray, after: np.ndarray) -> McNemar:
    only_first, only_second = int((before & ~after).sum()), int((after & ~before).sum())
    return McNemar(
        only_first=only_first, only_second=only_second, p=mcnemar_exact(only_first, only_second)
    )


def _class_changes(
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    correction: Correction,
) -> tuple[ClassChange, ...]:
    """For each class that has samples."""
    rows = []
    for number in np.unique(labels).tolist():
        own = labels == number
        first, second = before[:, own], after[:, own]  # (runs, samples of the class)
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
            name=name, samples=samples, first=float(a), second=float(b), p=p, adjusted=corrected
        )
        for (name, samples, a, b, p), corrected in zip(rows, adjusted, strict=True)
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
