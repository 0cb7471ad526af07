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
    top5_tells,
)
from glore_video.tasks.classification.ranking import NO_CLASS, finite_rows, predicted_classes
from glore_video.tasks.classification.saved_scores import SavedScores, ViewPlan, save_scores
from glore_video.tasks.classification.views_merging import (
    clip_accuracy,
    merged_probabilities,
    top_predictions,
)
from glore_video.tasks.sample_kinds import VIDEO, SampleKind


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Logits of the samples that could be read, in the order of the list, and those that could not.

    Attributes:
        logits: float32 (samples, views, classes).
        labels: int64 (samples,).
        paths: of the same samples.
        failed: the others, each (path, reason): they were opened, and could not be read.
        left_out: (path, reason) of samples that a manifest calls bad: they were not even opened.
        kind: what the samples are.
    """

    logits: np.ndarray
    labels: np.ndarray
    paths: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...] = ()
    kind: SampleKind = VIDEO

    @property
    def finite(self) -> np.ndarray:
        """Of each sample whether its logits are neither NaN nor infinite, bool (samples,)."""
        return np.isfinite(self.logits).all(axis=(1, 2))

    def saved(self, folder: Path, class_names: Sequence[str], plan: ViewPlan) -> SavedScores:
        """What the folder's scores.npz holds of them."""
        return SavedScores(
            source=str(folder),
            paths=self.paths,
            labels=self.labels,
            logits=self.logits,
            class_names=tuple(class_names),
            plan=plan,
            kind=self.kind,
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures in percent; NaN if no sample was scored, or none has finite scores.

    Attributes:
        kind: what the samples are.
        clip_top1: of single views.
        samples_expected: all: those that were scored, those that failed and those left out.
        samples_not_finite: of those that were scored; they count as wrong in accuracies, and do not
            count in what ranks or weighs probabilities.
        top1_interval: 95% of the bootstrap's samples of the scored ones.
    """

    kind: SampleKind
    top1: float
    top5: float
    clip_top1: float
    num_views: int
    samples_expected: int
    samples_scored: int
    samples_not_finite: int
    top1_interval: tuple[float, float]
    mean_class_accuracy: float
    mean_average_precision: float
    calibration_error: float

    @property
    def named(self) -> dict[str, Any]:
        """Of summary.json: "video_top1", "videos_scored"; of pictures "top1", "pictures_scored"."""
        top1, samples = self.kind.top_key(1), self.kind.plural
        clips = {"clip_top1": self.clip_top1} if self.kind.has_clips else {}
        return {
            top1: self.top1,
            self.kind.top_key(5): self.top5,
            **clips,
            "num_views": self.num_views,
            f"{samples}_expected": self.samples_expected,
            f"{samples}_scored": self.samples_scored,
            f"{samples}_not_finite": self.samples_not_finite,
            f"{top1}_interval": self.top1_interval,
            "mean_class_accuracy": self.mean_class_accuracy,
            "mean_average_precision": self.mean_average_precision,
            "calibration_error": self.calibration_error,
        }

    @property
    def figures(self) -> dict[str, Any]:
        """Of the test's line in metrics.jsonl; empty if no sample was scored."""
        return self.named if self.samples_scored else {}

    def line(self, *, num_classes: int) -> str:
        """The main figures in words."""
        figures = [f"{self.kind.top_name(1)} {self.top1:.2f}%"]
        if top5_tells(num_classes):
            figures.append(f"top-5 {self.top5:.2f}%")
        if self.kind.has_clips:
            figures.append(f"single clip top-1 {self.clip_top1:.2f}%")
        return (
            f"{', '.join(figures)} ({self.samples_scored} of {self.samples_expected} "
            f"{self.kind.plural}, {views_each(self.num_views)})"
        )

    def not_finite(self) -> str:
        """Why some samples' scores are no numbers; empty if all are."""
        if not self.samples_not_finite:
            return ""
        return (
            f"the network's scores of {self.samples_not_finite} of {self.samples_scored} test "
            f"{self.kind.plural} are not finite: its weights or statistics may have diverged, or "
            "half precision does not hold what it computes (TRAIN.MIXED_PRECISION)"
        )

    def problem(self, checkpoint: str) -> str:
        """Why the test of these weights is an error although it came to its end; else empty."""
        if not self.samples_scored:
            return f"none of the {self.samples_expected} test {self.kind.plural} could be read"
        if self.samples_not_finite == self.samples_scored:
            return f"{checkpoint}: {self.not_finite()}"
        return ""


def views_each(number: int) -> str:
    """Of each sample: "1 view each"."""
    return f"{number} view{'s' * (number != 1)} each"


def summarize(scores: Scores, num_views: int) -> Summary:
    logits, labels = torch.from_numpy(scores.logits), torch.from_numpy(scores.labels)
    probabilities = merged_probabilities(logits)
    figures = accuracies(probabilities, labels)
    finite = scores.finite
    right = predicted_classes(probabilities) == labels
    return Summary(
        kind=scores.kind,
        top1=figures.top1,
        top5=figures.top5,
        clip_top1=clip_accuracy(logits, labels) if finite_rows(logits).any() else float("nan"),
        num_views=num_views,
        samples_expected=len(labels) + len(scores.failed) + len(scores.left_out),
        samples_scored=len(labels),
        samples_not_finite=int((~finite).sum()),
        top1_interval=percent_interval(right.numpy() if finite.any() else np.zeros(0)),
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
    facts: Mapping[str, Any],
) -> None:
    """Write the three files, each whole or not at all.

    scores.npz holds paths, labels, logits (samples, views, classes), for each view its clip and
    its crop, and how clips and crops were taken; it loads without pickle.

    Args:
        facts: more keys of summary.json, such as seconds, checkpoint, parameters and gmacs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_scores(folder / "scores.npz", scores.saved(folder, class_names, plan))
    table = _predictions(scores, class_names).encode("utf-8", "surrogateescape")
    replace_file(folder / "predictions.csv", table)
    bad = [path for path, finite in zip(scores.paths, scores.finite, strict=True) if not finite]
    text = json.dumps(
        {
            **for_json(summary.named),
            "reasons": reasons(summary),
            "not_finite": bad,
            "failed": [{"path": path, "reason": reason} for path, reason in scores.failed],
            "left_out": [{"path": path, "reason": reason} for path, reason in scores.left_out],
            **facts,
        },
        indent=2,
    )
    replace_file(folder / "summary.json", (text + "\n").encode())


def reasons(summary: Summary) -> dict[str, str]:
    """Why a figure is missing, or of what it does not tell: figure -> a phrase."""
    kind, scored, bad = summary.kind, summary.samples_scored, summary.samples_not_finite
    top1 = kind.top_key(1)
    clips = ("clip_top1",) if kind.has_clips else ()
    accuracies = (top1, f"{top1}_interval", kind.top_key(5), *clips, "mean_class_accuracy")
    of_probabilities = ("mean_average_precision", "calibration_error")
    if not scored:
        missing = f"no {kind.noun} was scored"
    elif bad == scored:
        missing = f"the network's scores of all {scored} {kind.plural} are not finite"
    elif bad:
        found = f"the scores of {bad} of {scored} {kind.plural} are not finite: they "
        return {
            **dict.fromkeys(accuracies, f"{found}count as wrong"),
            **dict.fromkeys(of_probabilities, f"{found}are left out"),
        }
    else:
        return {}
    return dict.fromkeys((*accuracies, *of_probabilities), missing)


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
