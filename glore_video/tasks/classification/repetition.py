"""One network trained several times, with seeds of its own each time, and tested on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glore_video.statistics.intervals import runs_interval
from glore_video.tasks.classification.alignment import aligned, load_predictions
from glore_video.tasks.sample_kinds import SampleKind
from glore_video.tasks.sample_matching import common_samples


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """Top-1 in percent.

    Attributes:
        kind: what the samples are.
        top1: of each run.
        mean: over the runs.
        interval: 95%, see `runs_interval`.
    """

    kind: SampleKind
    top1: tuple[float, ...]
    mean: float
    interval: tuple[float, float]


def repetition(folders: Sequence[str | Path]) -> Repetition:
    """Of the tests in these OUTPUT_DIRs, one at least.

    Raises:
        ValueError: there is no test, or they differ in their samples or classes.
    """
    runs = [load_predictions(folder) for folder in folders]
    keys, _ = common_samples(runs, allow_missing=False)
    labels, predicted = aligned(runs, keys)
    right = predicted == labels  # (runs, samples)
    accuracies = 100.0 * right.mean(axis=1)
    return Repetition(
        kind=runs[0].kind,
        top1=tuple(accuracies.tolist()),
        mean=float(accuracies.mean()),
        interval=runs_interval(right),
    )
