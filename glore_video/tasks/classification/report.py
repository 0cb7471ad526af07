"""report.html: one page about a test, from the files that it left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glore_video.files.whole_files import replace_file
from glore_video.reports.pages import render
from glore_video.statistics.intervals import class_mean_interval, percent_interval
from glore_video.tasks.classification.classwise import (
    class_rows,
    confused_pairs,
    confusion,
    worst_mistakes,
)
from glore_video.tasks.classification.metrics import (
    accuracies,
    calibration_bins,
    calibration_error,
    mean_average_precision,
    top5_tells,
)
from glore_video.tasks.classification.ranking import finite_rows
from glore_video.tasks.classification.report_charts import reliability_chart, views_chart
from glore_video.tasks.classification.saved_scores import SavedScores, load_scores
from glore_video.tasks.classification.thumbnails import FramesOf, thumbnails
from glore_video.tasks.classification.view_curve import ViewCurve, view_curve
from glore_video.tasks.classification.views_merging import top_predictions
from glore_video.tasks.results_folder import UNSCORED_SHOWN, read_config, read_summary, unscored

PAIRS_SHOWN = 100
MISTAKES_SHOWN = 24


def write_report(
    folder: Path, *, scores: SavedScores | None = None, frames_of: FramesOf | None = None
) -> Path:
    """Write report.html beside a test's scores.npz and summary.json.

    Args:
        folder: the test folder. If it holds config.yaml, or else its parent, the page shows it.
        scores: what scores.npz holds, if it is at hand.
        frames_of: for pictures of the worst mistakes.

    Raises:
        FileNotFoundError, ValueError: the files are missing, or are not what they should be.
    """
    if scores is None:
        scores = load_scores(folder / "scores.npz")
    summary, config = read_summary(folder), read_config(folder)
    page = make_report(
        scores,
        summary,
        name=folder.resolve().parent.name,
        config=config,
        frames_of=frames_of,
    )
    path = folder / "report.html"
    replace_file(path, page)
    return path


def make_report(
    scores: SavedScores,
    summary: Mapping[str, Any],
    *,
    name: str,
    config: str = "",
    frames_of: FramesOf | None = None,
) -> bytes:
    """The page, UTF-8.

    Args:
        summary: of summary.json; its lists of failed and left-out samples, and what a run costs.
        name: title of the page.
        config: text of the run's configuration.
    """
    curve = view_curve(scores)
    probabilities, labels = curve.probabilities, torch.from_numpy(scores.labels)
    _, classes = top_predictions(probabilities, 5)
    in_top5 = (classes == labels[:, None]).any(dim=1).numpy()
    right = (classes[:, 0] == labels).numpy()
    unread = unscored(summary)
    bins = calibration_bins(probabilities, labels)
    shown = [point for point in curve.points if not math.isnan(point.top1)]
    bad = (~finite_rows(probabilities)).nonzero()[:, 0].tolist()
    return render(
        "report.html",
        name=name,
        summary=summary,
        config=config,
        kind=scores.kind,
        plan=scores.plan,
        scored=len(labels),
        figures=_figures(scores, curve, probabilities, labels, right, in_top5),
        views_plot=views_chart(shown, scores.kind) if len(shown) > 1 else None,
        points=curve.points,
        any_nearest=any(not point.exact for point in curve.points),
        reliability_plot=reliability_chart(bins, scores.kind) if bins else None,
        calibration_error=calibration_error(probabilities, labels),
        names=scores.class_names,
        top5_tells=top5_tells(len(scores.class_names)),
        mistakes=_mistakes(scores, probabilities, frames_of),
        unscored=unread,
        not_finite=(
            [scores.paths[place] for place in bad[:UNSCORED_SHOWN]],
            len(bad[UNSCORED_SHOWN:]),
        ),
        expected=len(labels) + sum(len(found) + more for found, more in unread.values()),
        **_by_class(scores, classes[:, 0], in_top5),
    )


def _by_class(scores: SavedScores, predicted: Tensor, in_top5: np.ndarray) -> dict[str, Any]:
    """Rows of classes, confused pairs, and the cells of the confusion matrix."""
    labels = torch.from_numpy(scores.labels)
    matrix = confusion(predicted, labels, num_classes=len(scores.class_names))
    rows, columns = np.nonzero(matrix)
    return {
        "classes": list(class_rows(matrix, in_top5, scores.labels)),
        "empty_classes": int((matrix.sum(axis=1) == 0).sum()),
        "pairs": confused_pairs(matrix, PAIRS_SHOWN),
        "matrix": {
            "names": list(scores.class_names),
            "samples": scores.kind.plural,
            "cells": np.stack([rows, columns, matrix[rows, columns]], axis=1).ravel().tolist(),
        },
    }


def _mistakes(
    scores: SavedScores, probabilities: Tensor, frames_of: FramesOf | None
) -> list[dict[str, Any]]:
    """The worst ones, with pictures."""
    places = worst_mistakes(probabilities, torch.from_numpy(scores.labels), MISTAKES_SHOWN)
    pictures = thumbnails([scores.paths[place] for place in places], frames_of)
    values, classes = top_predictions(probabilities[places], 5)
    found = []
    for number, (place, frames) in enumerate(zip(places, pictures, strict=True)):
        label = int(scores.labels[place])
        guesses = zip(values[number].tolist(), classes[number].tolist(), strict=True)
        found.append(
            {
                "path": scores.paths[place],
                "label": scores.class_names[label],
                "of_label": 100 * float(probabilities[place, label]),
                "guesses": [
                    (scores.class_names[each], 100 * value, each == label)
                    for value, each in guesses
                ],
                "frames": frames,
            }
        )
    return found


def _figures(
    scores: SavedScores,
    curve: ViewCurve,
    probabilities: Tensor,
    labels: Tensor,
    right: np.ndarray,
    in_top5: np.ndarray,
) -> list[tuple[str, float, tuple[float, float] | None, str]]:
    """(name, percent, 95% interval, what it is)."""
    numbers = accuracies(probabilities, labels)
    count = len(right) if finite_rows(probabilities).any() else 0  # of none there is no interval
    clip = 100.0 * float(curve.clips_right.mean()) if count else float("nan")
    clip_interval = percent_interval(curve.clips_right[:count])
    kind = scores.kind
    top5 = [(kind.top_name(5), numbers.top5, percent_interval(in_top5[:count]), "")]
    return [
        (kind.top_name(1), numbers.top1, percent_interval(right[:count]), ""),
        *(top5 if top5_tells(len(scores.class_names)) else ()),
        *([("clip top-1", clip, clip_interval, "one view alone")] if kind.has_clips else ()),
        (
            "mean class accuracy",
            numbers.class_mean,
            class_mean_interval(right[:count], scores.labels[:count]),
            "",
        ),
        (
            "mean average precision",
            mean_average_precision(probabilities, labels),
            None,
            "one class against the rest",
        ),
        (
            "calibration error",
            calibration_error(probabilities, labels),
            None,
            "expected, 15 bins",
        ),
    ]
