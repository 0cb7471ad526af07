"""report.html: one page about a test, from the files that it left."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glore_video.errors import MissingFileError, UsageError
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

PAIRS_SHOWN = 100
MISTAKES_SHOWN = 24
UNSCORED_SHOWN = 1000


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
    summary_path, config_path = folder / "summary.json", folder / "config.yaml"
    if not config_path.is_file():
        config_path = folder.parent / "config.yaml"
    if not summary_path.is_file():
        raise MissingFileError(f"{summary_path}: no such file")
    try:
        summary = json.loads(summary_path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{summary_path}: is no JSON: {error}") from None
    if not isinstance(summary, dict):
        raise UsageError(f"{summary_path}: is no summary of a test, but a {type(summary).__name__}")
    config = ""
    if config_path.is_file():
        config = config_path.read_text(encoding="utf-8", errors="replace")
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
        summary: of summary.json; its lists of failed and left-out videos, and what a run costs.
        name: title of the page.
        config: text of the run's configuration.
    """
    curve = view_curve(scores)
    probabilities, labels = curve.probabilities, torch.from_numpy(scores.labels)
    values, classes = top_predictions(probabilities, 5)
    in_top5 = (classes == labels[:, None]).any(dim=1).numpy()
    right = (classes[:, 0] == labels).numpy()
    matrix = confusion(classes[:, 0], labels, num_classes=len(scores.class_names))
    rows, columns = np.nonzero(matrix)
    unscored = {
        kind: [(each["path"], each["reason"]) for each in summary.get(kind, [])]
        for kind in ("failed", "left_out")
    }
    mistakes = worst_mistakes(probabilities, labels, MISTAKES_SHOWN)
    pictures = thumbnails([scores.paths[place] for place in mistakes], frames_of)
    bins = calibration_bins(probabilities, labels)
    finite = finite_rows(probabilities)
    shown = [point for point in curve.points if not math.isnan(point.top1)]
    bad = (~finite).nonzero()[:, 0].tolist()
    return render(
        "report.html",
        name=name,
        summary=summary,
        config=config,
        plan=scores.plan,
        videos=len(labels),
        figures=_figures(scores, curve, probabilities, labels, right, in_top5),
        views_plot=views_chart(shown) if len(shown) > 1 else None,
        points=curve.points,
        any_nearest=any(not point.exact for point in curve.points),
        reliability_plot=reliability_chart(bins) if bins else None,
        calibration_error=calibration_error(probabilities, labels),
        names=scores.class_names,
        top5_tells=top5_tells(len(scores.class_names)),
        classes=list(class_rows(matrix, in_top5, scores.labels)),
        empty_classes=int((matrix.sum(axis=1) == 0).sum()),
        pairs=confused_pairs(matrix, PAIRS_SHOWN),
        matrix={
            "names": list(scores.class_names),
            "cells": np.stack([rows, columns, matrix[rows, columns]], axis=1).ravel().tolist(),
        },
        mistakes=[
            _mistake(scores, place, values, classes, probabilities) | {"frames": frames}
            for place, frames in zip(mistakes, pictures, strict=True)
        ],
        unscored={
            kind: (found[:UNSCORED_SHOWN], len(found[UNSCORED_SHOWN:]))
            for kind, found in unscored.items()
        },
        not_finite=(
            [scores.paths[place] for place in bad[:UNSCORED_SHOWN]],
            len(bad[UNSCORED_SHOWN:]),
        ),
        expected=len(labels) + sum(len(found) for found in unscored.values()),
    )


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
    top5 = [("video top-5", numbers.top5, percent_interval(in_top5[:count]), "")]
    return [
        ("video top-1", numbers.top1, percent_interval(right[:count]), ""),
        *(top5 if top5_tells(len(scores.class_names)) else ()),
        ("clip top-1", clip, percent_interval(curve.clips_right[:count]), "one view alone"),
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


def _mistake(
    scores: SavedScores,
    place: int,
    values: Tensor,
    classes: Tensor,
    probabilities: Tensor,
) -> dict[str, Any]:
    label = int(scores.labels[place])
    guesses = [
        (scores.class_names[number], 100 * value, number == label)
        for value, number in zip(values[place].tolist(), classes[place].tolist(), strict=True)
    ]
    return {
        "path": scores.paths[place],
        "label": scores.class_names[label],
        "of_label": 100 * float(probabilities[place, label]),
        "guesses": guesses,
    }
