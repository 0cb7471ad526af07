"""Two networks, or two groups of seeds, on the same pictures: how much their IoUs differ, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glore_video.errors import UsageError
from glore_video.statistics.confusion import class_iou, mean_iou, mean_of_known
from glore_video.statistics.iou_intervals import iou_difference_intervals, mean_iou_interval
from glore_video.statistics.significance import paired_t
from glore_video.tasks.sample_matching import Key, common_samples
from glore_video.tasks.segmentation.saved_confusions import SavedConfusions


@dataclass(frozen=True, kw_only=True)
class Side:
    """One run, or the seeds of one network, on the pictures that are compared.

    Attributes:
        sources: where the runs were read from.
        miou: of each run, percent.
        interval: 95% bootstrap interval over pictures of a run's mean IoU; of several runs the mean of
            their ends.
    """

    sources: tuple[str, ...]
    miou: tuple[float, ...]
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class on both sides.

    Attributes:
        share: of the pixels that are not ignored, percent.
        first, second: its IoU, percent, mean over runs; NaN if it occurs nowhere.
        interval: 95% bootstrap interval over pictures of the difference; of this class by itself.
    """

    name: str
    share: float
    first: float
    second: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def changes(self) -> bool:
        """Whether the interval does not hold 0."""
        low, high = self.interval
        return low > 0 or high < 0


@dataclass(frozen=True, kw_only=True)
class PictureChange:
    """One picture on both sides: its mean IoU over the classes that occur in it, mean over runs."""

    path: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        return self.second - self.first


@dataclass(frozen=True, kw_only=True)
class SceneComparison:
    """Second side against first. IoUs and their differences in percent (points).

    Attributes:
        difference: of the mean IoUs, second minus first; of several runs of their means.
        interval: 95% bootstrap interval of it over pictures: it stands for testing on others, not for
            training again.
        seed_p: p of the paired t test over seeds, which stands for training again; None unless both
            sides have the same number of runs, two or more.
        classes: in their order.
        pictures: those with a pixel that counts, by their difference, ascending.
        compared: number of pictures.
        missing: of each run, the pictures that others have and it has not.
        not_finite: of each run, how many pictures have pixels without a finite score, if there are any.
    """

    first: Side
    second: Side
    difference: float
    interval: tuple[float, float]
    seed_p: float | None
    classes: tuple[ClassChange, ...]
    pictures: tuple[PictureChange, ...]
    compared: int
    missing: dict[str, tuple[str, ...]]
    not_finite: dict[str, int]


def compare(
    first: Sequence[SavedConfusions],
    second: Sequence[SavedConfusions],
    *,
    allow_missing: bool = False,
) -> SceneComparison:
    """Compare two runs, or two groups of seeds, run n of the one with run n of the other.

    Args:
        allow_missing: compare the pictures that all runs have, where the lists differ.

    Raises UsageError: the lists, masks or classes differ, or no picture is in all.
    """
    runs = [*first, *second]
    if not first or not second:
        raise UsageError("both sides need at least one run")
    keys, missing = common_samples(runs, allow_missing)
    matrices = aligned_matrices(runs, keys)
    sides = matrices[: len(first)], matrices[len(first) :]
    totals = [side.sum(1, dtype=np.float64) for side in sides]  # (runs, classes, columns)
    means = [mean_iou(total) for total in totals]  # (runs,)
    interval, by_class = iou_difference_intervals(*sides)
    paired_seeds = len(first) == len(second) >= 2
    return SceneComparison(
        first=_side(first, sides[0], means[0]),
        second=_side(second, sides[1], means[1]),
        difference=float(means[1].mean() - means[0].mean()),
        interval=interval,
        seed_p=paired_t((means[1] - means[0]).tolist()) if paired_seeds else None,
        classes=_class_changes(totals, by_class, runs[0].class_names),
        pictures=_picture_changes(sides, keys),
        compared=len(keys),
        missing=missing,
        not_finite={run.source: count for run in runs if (count := int(run.not_finite.sum()))},
    )


def aligned_matrices(runs: Sequence[SavedConfusions], keys: Sequence[Key]) -> np.ndarray:
    """Matrices float32 (runs, pictures, classes, columns) of these pictures.

    Raises UsageError if pictures have other masks in one run than in another.
    """
    aligned: list[np.ndarray] = []
    columns = max(run.matrices.shape[2] for run in runs)
    for run in runs:
        places = {key: place for place, key in enumerate(run.keys)}
        own = run.matrices[[places[key] for key in keys]]
        if own.shape[2] < columns:
            own = np.pad(own, ((0, 0), (0, 0), (0, columns - own.shape[2])))
        if aligned:
            truths = (each.sum(2, dtype=np.float64) for each in (own, aligned[0]))
            other = np.flatnonzero((next(truths) != next(truths)).any(1))
            if len(other):
                raise UsageError(
                    f"{run.source}: {len(other)} pictures have another mask than in {runs[0].source}, "
                    f"{keys[other[0]][0]} among them"
                )
        aligned.append(own)
    return np.stack(aligned)


def _side(runs: Sequence[SavedConfusions], matrices: np.ndarray, means: np.ndarray) -> Side:
    intervals = np.mean([mean_iou_interval(each) for each in matrices], axis=0)
    return Side(
        sources=tuple(run.source for run in runs),
        miou=tuple(means.tolist()),
        interval=(float(intervals[0]), float(intervals[1])),
    )


def _class_changes(
    totals: Sequence[np.ndarray], intervals: np.ndarray, names: Sequence[str]
) -> tuple[ClassChange, ...]:
    first, second = (mean_of_known(class_iou(total).T) for total in totals)  # (classes,)
    pixels = totals[0][0].sum(1)
    shares = 100 * pixels / pixels.sum()
    return tuple(
        ClassChange(name=name, share=share, first=before, second=after, interval=(low, high))
        for name, share, before, after, (low, high) in zip(
            names, shares.tolist(), first.tolist(), second.tolist(), intervals.tolist(), strict=True
        )
    )


def _picture_changes(sides: Sequence[np.ndarray], keys: Sequence[Key]) -> tuple[PictureChange, ...]:
    # A run at a time: float64 of all would be large.
    first, second = (np.mean([mean_iou(run) for run in side], axis=0) for side in sides)
    changes = [
        PictureChange(path=path, first=before, second=after)
        for (path, _), before, after in zip(keys, first.tolist(), second.tolist(), strict=True)
        if not np.isnan(before)
    ]
    return tuple(sorted(changes, key=lambda each: each.difference))
