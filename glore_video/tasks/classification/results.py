"""What a test leaves: summary.json, predictions.csv and scores.npz."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glore_video.files.csv_cells import protected
from glore_video.files.whole_files import for_json, replace_file
from glore_video.statistics.intervals import percent_interval
from glore_video.tasks.classification.metrics import (
    accuracies,
    calibration_error,
    mean_average_precision,
)
from glore_video.tasks.classification.ranking import NO_CLASS, finite_rows, predicted_classes
from glore_video.tasks.classification.saved_scores import SavedScores, ViewPlan, save_scores
from glore_video.tasks.classification.views_merging import (
    clip_accuracy,
    merged_probabilities,
    top_predictions,
)

_ACCURACIES = (
    "video_top1",
    "video_top1_interval",
    "video_top5",
    "clip_top1",
    "mean_class_accuracy",
)
_OF_PROBABILITIES = ("mean_average_precision", "calibration_error")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Logits of the videos that could be read, in the order of the list, and those that could not.

    Attributes:
        logits: float32 (videos, views, classes).
        labels: int64 (videos,).
        paths: of the same videos.
        failed: the others, each (path, reason): they were opened, and could not be read.
        left_out: (path, reason) of videos that a manifest calls bad: they were not even opened.
    """

    logits: np.ndarray
    labels: np.ndarray
    paths: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def finite(self) -> np.ndarray:
        """Of each video whether its logits are neither NaN nor infinite, bool (videos,)."""
        return np.isfinite(self.logits).all(axis=(1, 2))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures in percent; NaN if no video was scored, or none has finite scores.

    videos_expected counts all: those that were scored, those that failed and those left out.
    videos_not_finite, of those that were scored, count as wrong in accuracies, and do not count in
    what ranks or weighs probabilities. video_top1_interval holds 95% of the bootstrap's samples of
    videos.
    """

    video_top1: float
    video_top5: float
    clip_top1: float
    num_views: int
    videos_expected: int
    videos_scored: int
    videos_not_finite: int
    video_top1_interval: tuple[float, float]
    mean_class_accuracy: float
    mean_average_precision: float
    calibration_error: float


def summarize(scores: Scores, num_views: int) -> Summary:
    logits, labels = torch.from_numpy(scores.logits), torch.from_numpy(scores.labels)
    probabilities = merged_probabilities(logits)
    figures = accuracies(probabilities, labels)
    finite = scores.finite
    right = predicted_classes(probabilities) == labels
    return Summary(
        video_top1=figures.top1,
        video_top5=figures.top5,
        clip_top1=clip_accuracy(logits, labels) if finite_rows(logits).any() else float("nan"),
        num_views=num_views,
        videos_expected=len(labels) + len(scores.failed) + len(scores.left_out),
        videos_scored=len(labels),
        videos_not_finite=int((~finite).sum()),
        video_top1_interval=percent_interval(right.numpy() if finite.any() else np.zeros(0)),
        mean_class_accuracy=figures.class_mean,
        mean_average_precision=mean_average_precision(probabilities, labels),
        calibration_error=calibration_error(probabilities, labels),
    )


def write_results(
    folder: Path,
    scores: Scores,
    summary: Summary,
    *,
    class_names: Sequence[str],
    plan: ViewPlan,
    seconds: float,
    checkpoint: str,
    extras: Mapping[str, Any] | None = None,
) -> SavedScores:
    """Write the three files, each whole or not at all.

    scores.npz holds paths, labels, logits (videos, views, classes), for each view its clip and
    its crop, and how clips and crops were taken; it loads without pickle.

    Args:
        extras: more keys of summary.json, such as parameters and gmacs.

    Returns:
        What scores.npz holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = SavedScores(
        source=str(folder),
        paths=scores.paths,
        labels=scores.labels,
        logits=scores.logits,
        class_names=tuple(class_names),
        plan=plan,
    )
    save_scores(folder / "scores.npz", saved)
    table = _predictions(scores, class_names).encode("utf-8", "surrogateescape")
    replace_file(folder / "predictions.csv", table)
    bad = [path for path, finite in zip(scores.paths, scores.finite, strict=True) if not finite]
    text = json.dumps(
        {
            **for_json(vars(summary)),
            "reasons": reasons(summary),
            "not_finite": bad,
            "failed": [{"path": path, "reason": reason} for path, reason in scores.failed],
            "left_out": [{"path": path, "reason": reason} for path, reason in scores.left_out],
            "seconds": round(seconds, 3),
            "checkpoint": checkpoint,
            **(extras or {}),
        },
        indent=2,
    )
    replace_file(folder / "summary.json", (text + "\n").encode())
    return saved


def reasons(summary: Summary) -> dict[str, str]:
    """Why a figure is missing, or of what it does not tell: figure -> a phrase."""
    scored, bad = summary.videos_scored, summary.videos_not_finite
    if not scored:
        missing = "no video was scored"
    elif bad == scored:
        missing = f"the network's scores of all {scored} videos are not finite"
    elif bad:
        found = f"the scores of {bad} of {scored} videos are not finite: they "
        return {
            **dict.fromkeys(_ACCURACIES, f"{found}count as wrong"),
            **dict.fromkeys(_OF_PROBABILITIES, f"{found}are left out"),
        }
    else:
        return {}
    return dict.fromkeys((*_ACCURACIES, *_OF_PROBABILITIES), missing)


def _predictions(scores: Scores, class_names: Sequence[str]) -> str:
    probabilities = merged_probabilities(torch.from_numpy(scores.logits))
    values, classes = top_predictions(probabilities, 5)
    places = range(1, classes.shape[-1] + 1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "label", "label_name"]
        + [column for n in places for column in (f"top{n}_name", f"top{n}_probability")]
    )
    for path, label, row, best in zip(scores.paths, scores.labels, values, classes, strict=True):
        cells = [protected(path), int(label), protected(class_names[label])]
        for value, index in zip(row.tolist(), best.tolist(), strict=True):
            named = index != NO_CLASS
            cells += [protected(class_names[index]), f"{value:.6f}"] if named else ["", ""]
        writer.writerow(cells)
    return text.getvalue()
