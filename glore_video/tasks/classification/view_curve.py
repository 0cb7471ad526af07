"""One pass over the logits of all views: predictions, and accuracy by the number of views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glore_video.statistics.intervals import percent_interval
from glore_video.tasks.classification.ensembling import ViewChoice, choose_views, crops_to_choose
from glore_video.tasks.classification.ranking import finite_rows, predicted_classes
from glore_video.tasks.classification.saved_scores import SavedScores, ViewPlan
from glore_video.tasks.classification.views_merging import parts, view_probabilities


@dataclass(frozen=True)
class CurvePoint:
    """Top-1 of so many views, percent, with its 95% bootstrap interval; NaN if nothing is finite.

    `exact`: a test with so many views takes these very ones.
    """

    clips: int
    crops: int
    top1: float
    interval: tuple[float, float]
    exact: bool


@dataclass(frozen=True)
class ViewCurve:
    """What the pass gives.

    Attributes:
        probabilities: float64 (samples, classes), mean over all views of the softmax.
        clips_right: float64 (samples,), share of a sample's single views that are right.
        points: the one of all views comes last.
    """

    probabilities: Tensor
    clips_right: np.ndarray
    points: tuple[CurvePoint, ...]


def view_curve(scores: SavedScores) -> ViewCurve:
    """Accuracy for every number of clips that a smaller test shares, and for one clip."""
    logits, labels = torch.from_numpy(scores.logits), torch.from_numpy(scores.labels)
    samples, _, classes = logits.shape
    choices = _choices(scores.plan)
    probabilities = torch.empty(samples, classes, dtype=torch.float64)
    clips_right = torch.empty(samples, dtype=torch.float64)
    right = torch.empty(len(choices), samples, dtype=torch.bool)
    finite = torch.zeros(len(choices), dtype=torch.bool)
    for part in parts(logits):
        single = view_probabilities(logits[part])  # (samples, views, classes)
        own = labels[part]
        clips_right[part] = (predicted_classes(single) == own[:, None]).double().mean(dim=1)
        for number, (_, _, choice) in enumerate(choices):
            mean = single[:, list(choice.views)].mean(dim=1)
            right[number, part] = predicted_classes(mean) == own
            finite[number] |= finite_rows(mean).any()
        probabilities[part] = mean  # all views come last
    points = tuple(
        CurvePoint(
            clips=clips,
            crops=crops,
            top1=float(100 * right[number].double().mean()) if finite[number] else float("nan"),
            interval=percent_interval(right[number, : samples if finite[number] else 0].numpy()),
            exact=choice.exact,
        )
        for number, (clips, crops, choice) in enumerate(choices)
    )
    return ViewCurve(probabilities, clips_right.numpy(), points)


def _choices(plan: ViewPlan) -> list[tuple[int, int, ViewChoice]]:
    """(clips, crops, views), the fewest crops and clips first."""
    numbers = range(1, plan.clips + 1) if plan.spacing else [plan.clips]
    found = []
    for crops in crops_to_choose(plan):
        for clips in numbers:
            choice = choose_views(plan, clips=clips, crops=crops)
            if choice.exact or clips == 1:
                found.append((clips, crops, choice))
    return found
