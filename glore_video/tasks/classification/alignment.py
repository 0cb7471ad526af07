"""Predictions of several tests, brought to the same samples in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glore_video.choices import Match
from glore_video.errors import UsageError
from glore_video.tasks.classification.ranking import NO_CLASS, predicted_classes
from glore_video.tasks.classification.saved_scores import load_scores
from glore_video.tasks.classification.views_merging import merged_probabilities
from glore_video.tasks.sample_kinds import VIDEO, SampleKind
from glore_video.tasks.sample_matching import sample_keys


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What one test says of each sample.

    Attributes:
        source: where it was read from.
        class_names: one a class.
        keys: of each sample its path, and how often that came before in the list.
        labels, predicted: int64 (samples,); NO_CLASS is predicted where scores are not finite.
        kind: what the samples are.
    """

    source: str
    class_names: tuple[str, ...]
    keys: tuple[tuple[str, int], ...]
    labels: np.ndarray
    predicted: np.ndarray
    kind: SampleKind = VIDEO


def load_predictions(path: str | Path, *, match: Match = "path") -> Predictions:
    """From scores.npz, its test folder or OUTPUT_DIR.

    Raises:
        ValueError: no sample has finite scores; and as load_scores and sample_keys do.
    """
    scores = load_scores(path)
    predicted = predicted_classes(merged_probabilities(torch.from_numpy(scores.logits))).numpy()
    if len(predicted) and (predicted == NO_CLASS).all():
        raise UsageError(
            f"{scores.source}: the network's scores of all {len(predicted)} {scores.kind.plural} "
            "are not finite"
        )
    return Predictions(
        source=scores.source,
        class_names=scores.class_names,
        keys=tuple(sample_keys(scores, match)),
        labels=scores.labels,
        predicted=predicted,
        kind=scores.kind,
    )


def aligned(
    runs: Sequence[Predictions], keys: list[tuple[str, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (samples,) and predictions (runs, samples) of these samples.

    Raises:
        ValueError: runs differ in a label.
    """
    labels: np.ndarray | None = None
    predicted = []
    for run in runs:
        places = {key: place for place, key in enumerate(run.keys)}
        order = np.array([places[key] for key in keys])
        own = run.labels[order]
        if labels is None:
            labels = own
        other = np.flatnonzero(own != labels)
        if len(other):
            raise UsageError(
                f"{run.source}: {len(other)} {run.kind.plural} have another label than in "
                f"{runs[0].source}, {keys[other[0]][0]} among them"
            )
        predicted.append(run.predicted[order])
    if labels is None:
        raise AssertionError("no runs")
    return labels, np.stack(predicted)
