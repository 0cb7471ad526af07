"""What a test leaves: summary.json, predictions.csv and scores.npz."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glore_video.evaluation.views import (
    clip_accuracy,
    top_k_accuracy,
    top_predictions,
    video_probabilities,
)


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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Accuracies in percent; NaN if no video was scored.

    videos_expected counts all: those that were scored, those that failed and those left out.
    """

    video_top1: float
    video_top5: float
    clip_top1: float
    num_views: int
    videos_expected: int
    videos_scored: int


def summarize(scores: Scores, num_views: int) -> Summary:
    logits, labels = torch.from_numpy(scores.logits), torch.from_numpy(scores.labels)
    probabilities = video_probabilities(logits)
    return Summary(
        video_top1=top_k_accuracy(probabilities, labels, 1),
        video_top5=top_k_accuracy(probabilities, labels, 5),
        clip_top1=clip_accuracy(logits, labels),
        num_views=num_views,
        videos_expected=len(labels) + len(scores.failed) + len(scores.left_out),
        videos_scored=len(labels),
    )


def write_results(
    folder: Path,
    scores: Scores,
    summary: Summary,
    *,
    class_names: Sequence[str],
    num_crops: int,
    seconds: float,
    checkpoint: str,
) -> None:
    """Write the three files, each whole or not at all.

    scores.npz holds paths, labels, logits (videos, views, classes), and for each view its clip and
    its crop; it loads without pickle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    views = np.arange(summary.num_views)
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays,
        paths=np.array(scores.paths, dtype=np.str_),
        labels=scores.labels,
        logits=scores.logits,
        clip_of_view=views // num_crops,
        crop_of_view=views % num_crops,
        class_names=np.array(class_names, dtype=np.str_),
    )
    _replace(folder / "scores.npz", arrays.getvalue())
    _replace(folder / "predictions.csv", _predictions(scores, class_names).encode())
    numbers = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in vars(summary).items()
    }
    text = json.dumps(
        {
            **numbers,
            "failed": [{"path": path, "reason": reason} for path, reason in scores.failed],
            "left_out": [{"path": path, "reason": reason} for path, reason in scores.left_out],
            "seconds": round(seconds, 3),
            "checkpoint": checkpoint,
        },
        indent=2,
    )
    _replace(folder / "summary.json", (text + "\n").encode())


def _predictions(scores: Scores, class_names: Sequence[str]) -> str:
    probabilities = video_probabilities(torch.from_numpy(scores.logits))
    values, classes = top_predictions(probabilities, 5)
    places = range(1, classes.shape[-1] + 1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "label", "label_name"]
        + [column for n in places for column in (f"top{n}_name", f"top{n}_probability")]
    )
    for path, label, row, best in zip(scores.paths, scores.labels, values, classes, strict=True):
        cells = [path, int(label), class_names[label]]
        for value, index in zip(row.tolist(), best.tolist(), strict=True):
            cells += [class_names[index], f"{value:.6f}"]
        writer.writerow(cells)
    return text.getvalue()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
