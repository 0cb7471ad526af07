"""pictures.csv: the figures of each picture of a test by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.files.csv_cells import protected
from glore_video.statistics.confusion import class_iou, mean_iou, pixel_accuracy
from glore_video.tasks.segmentation.official_scores import official_scores
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions

_KINDS = {"category_iou": "category", "class_iiou": "iIoU", "category_iiou": "category iIoU"}


def picture_table(seen: PictureConfusions, classes: MaskClasses) -> bytes:
    """A line a picture: its path, means, and IoUs; empty cells for classes that don't occur in it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    nothing = np.zeros((len(classes), len(classes) + 1))
    columns = _columns(nothing, seen.total_instances, classes)
    writer.writerow(["path", *(name for name, _ in columns)])
    for place, path in enumerate(seen.paths):
        counts = None if seen.instances is None else seen.instances[place]
        numbers = [number for _, number in _columns(seen.matrices[place], counts, classes)]
        cells = ["" if np.isnan(number) else f"{number:.4f}" for number in numbers]
        writer.writerow([protected(path), *cells])
    return text.getvalue().encode("utf-8", "surrogateescape")


def _columns(
    matrix: np.ndarray, counts: np.ndarray | None, classes: MaskClasses
) -> list[tuple[str, float]]:
    """What each column is called, and a picture's number in it."""
    official = official_scores(matrix, counts, classes)
    more = official.known if official else {}
    return [
        ("miou", float(mean_iou(matrix))),
        *((name, value) for name, value in more.items() if not isinstance(value, Mapping)),
        ("pixel_accuracy", float(pixel_accuracy(matrix))),
        *zip(map(protected, classes.names), class_iou(matrix).tolist(), strict=True),
        *(
            (f"{words} {part}", value)
            for name, words in _KINDS.items()
            for part, value in more.get(name, {}).items()
        ),
    ]
