"""report.html of a segmentation: IoU by class, confusions, the worst pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.errors import SampleError
from glore_video.files.whole_files import replace_file
from glore_video.reports.pages import render
from glore_video.statistics.confusion import (
    class_accuracy,
    class_iou,
    mean_iou,
    pixel_accuracy,
)
from glore_video.tasks.results_folder import read_config, read_summary, unscored
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions

logger = logging.getLogger(__name__)
WORST_SHOWN = 12
FramesOf = Callable[[str], list[tuple[str, str]]]
"""Gives what is to be seen of the picture at a path: what each shows, and a data URI."""


def write_report(
    folder: Path,
    seen: PictureConfusions,
    *,
    classes: MaskClasses,
    frames_of: FramesOf | None = None,
) -> Path:
    """Write report.html beside a test's summary.json.

    Args:
        classes: of whom names and colours are shown.
        frames_of: for the worst pictures.
    """
    summary = read_summary(folder)
    page = render(
        "segmentation.html",
        name=folder.resolve().parent.name,
        summary=summary,
        config=read_config(folder),
        scored=len(seen.paths),
        expected=summary["pictures_expected"],
        not_finite=summary["not_finite"],
        classes=_classes(seen.total, classes, summary.get("class_iiou")),
        categories=_categories(summary),
        matrix=_matrix(seen.total, classes.names),
        worst=_worst(seen, frames_of),
        unscored=unscored(summary),
    )
    path = folder / "report.html"
    replace_file(path, page)
    return path


def _classes(
    total: np.ndarray, classes: MaskClasses, iious: Mapping[str, float | None] | None
) -> list[dict[str, Any]]:
    """A row a class: IoU, accuracy, share of all pixels, what it is mostly taken for, its colour.

    Args:
        iious: of the classes that have instances, NaN as None; None: not known.
    """
    count = len(classes)
    ious, accuracies = class_iou(total), class_accuracy(total)
    pixels = total.sum(1)
    others = total[:, :count] * (1 - np.eye(count))
    rows = []
    for number, name in enumerate(classes.names):
        taken = int(others[number].argmax())
        share = others[number, taken] / pixels[number] if pixels[number] else 0.0
        rows.append(
            {
                "name": name,
                "colour": classes.hex_colour(number),
                "iou": float(ious[number]),
                "iiou": _number((iious or {}).get(name)),
                "accuracy": float(accuracies[number]),
                "share": 100 * float(pixels[number] / pixels.sum()) if pixels.sum() else 0.0,
                "taken_for": (classes.names[taken], 100 * float(share)) if share > 0 else None,
            }
        )
    return rows


def _categories(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a category: IoU and iIoU."""
    iious = summary.get("category_iiou", {})
    return [
        {"name": name, "iou": _number(iou), "iiou": _number(iious.get(name))}
        for name, iou in summary.get("category_iou", {}).items()
    ]


def _number(value: float | None) -> float:
    """NaN for None, as JSON has it."""
    return float("nan") if value is None else value


def _matrix(total: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    matrix = total[:, : len(names)].astype(np.int64)
    rows, columns = np.nonzero(matrix)
    cells = np.stack([rows, columns, matrix[rows, columns]], axis=1).ravel().tolist()
    return {"names": list(names), "samples": "pixels", "cells": cells}


def _worst(seen: PictureConfusions, frames_of: FramesOf | None) -> list[dict[str, Any]]:
    """The pictures of the lowest mean IoU, with what is to be seen of each."""
    means, accuracies = mean_iou(seen.matrices), pixel_accuracy(seen.matrices)
    order = [place for place in np.argsort(means, kind="stable") if not np.isnan(means[place])]
    found = []
    for place in order[:WORST_SHOWN]:
        frames: list[tuple[str, str]] = []
        path = seen.paths[place]
        try:
            frames = [] if frames_of is None else frames_of(path)
        except (SampleError, OSError) as error:  # a picture is not worth a test
            logger.warning("no pictures of %s for the report: %s", path, error)
        found.append(
            {
                "path": path,
                "miou": float(means[place]),
                "accuracy": float(accuracies[place]),
                "frames": frames,
            }
        )
    return found
