"""What a test of a segmentation leaves: summary.json, pictures.csv and confusions.npz."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glore_video.errors import Failure
from glore_video.files.csv_cells import protected
from glore_video.files.whole_files import for_json, replace_file, whole_file
from glore_video.statistics.confusion import (
    class_accuracy,
    class_iou,
    mean_iou,
    mean_of_known,
    pixel_accuracy,
)
from glore_video.statistics.iou_intervals import mean_iou_interval

NO_NUMBER = "not_finite"


@dataclass(frozen=True)
class PictureConfusions:
    """What a test has seen.

    Attributes:
        matrices: float32 (pictures, classes, classes + 1), see statistics.confusion: pixels by true and
            predicted class; in the last column those whose scores are not finite.
        paths: of the pictures.
        failed: those that could not be read.
        left_out: those that are known to be bad and have no place in the list.
    """

    matrices: np.ndarray
    paths: tuple[str, ...]
    failed: tuple[Failure, ...] = ()
    left_out: tuple[Failure, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """float64 (classes, classes + 1), of all pictures."""
        return self.matrices.astype(np.float64).sum(0)

    @property
    def not_finite(self) -> np.ndarray:
        """Bool (pictures,): those with a pixel whose scores are not finite."""
        return np.any(self.matrices[:, :, -1] > 0, axis=1)


@dataclass(frozen=True, kw_only=True)
class SceneSummary:
    """Figures in percent, of the confusion matrix of all pictures together; NaN if nothing was scored.

    Attributes:
        miou: mean intersection over union of the classes that occur, true or predicted.
        miou_interval: 95% of the bootstrap's samples of the pictures.
        pixel_accuracy: of the pixels that are not ignored.
        mean_class_accuracy: mean over the classes of the share of their pixels that are right.
        class_iou: by class name; NaN of classes that occur nowhere.
        pictures_not_finite: of those that were scored; their pixels without a score are wrong.
    """

    miou: float
    miou_interval: tuple[float, float]
    pixel_accuracy: float
    mean_class_accuracy: float
    class_iou: Mapping[str, float]
    pictures_expected: int
    pictures_scored: int
    pictures_not_finite: int

    @property
    def figures(self) -> dict[str, Any]:
        """Of the test's line in metrics.jsonl; empty if nothing was scored."""
        if not self.pictures_scored:
            return {}
        return {name: value for name, value in vars(self).items() if name != "class_iou"}

    @property
    def line(self) -> str:
        """The main figures in words."""
        return (
            f"mIoU {self.miou:.2f}%, pixels {self.pixel_accuracy:.2f}% ({self.pictures_scored} of "
            f"{self.pictures_expected} pictures)"
        )

    def problem(self, checkpoint: str) -> str:
        """Why the test of these weights is an error although it came to its end; else empty."""
        if not self.pictures_scored:
            return f"none of the {self.pictures_expected} test pictures could be read"
        if self.pictures_not_finite == self.pictures_scored:
            return (
                f"{checkpoint}: the network's scores are not finite in any of the test pictures: its "
                "weights or statistics may have diverged, or half precision does not hold what it "
                "computes (TRAIN.MIXED_PRECISION)"
            )
        return ""


def summarize(seen: PictureConfusions, class_names: Sequence[str]) -> SceneSummary:
    total = seen.total
    return SceneSummary(
        miou=float(mean_iou(total)),
        miou_interval=mean_iou_interval(seen.matrices),
        pixel_accuracy=float(pixel_accuracy(total)),
        mean_class_accuracy=float(mean_of_known(class_accuracy(total))),
        class_iou=dict(zip(class_names, class_iou(total).tolist(), strict=True)),
        pictures_expected=len(seen.paths) + len(seen.failed) + len(seen.left_out),
        pictures_scored=len(seen.paths),
        pictures_not_finite=int(seen.not_finite.sum()),
    )


def write_results(
    folder: Path,
    seen: PictureConfusions,
    summary: SceneSummary,
    *,
    class_names: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Write the three files, each whole or not at all.

    confusions.npz holds paths, class_names and matrices (pictures, classes, classes + 1); it loads
    without pickle.

    Args:
        facts: more keys of summary.json, such as seconds, checkpoint, parameters and gmacs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "confusions.npz") as file:
        np.savez_compressed(
            file,
            paths=np.array(seen.paths, dtype=np.str_),
            class_names=np.array(class_names, dtype=np.str_),
            matrices=seen.matrices,
        )
    table = _table(seen, class_names).encode("utf-8", "surrogateescape")
    replace_file(folder / "pictures.csv", table)
    bad = [path for path, wrong in zip(seen.paths, seen.not_finite, strict=True) if wrong]
    text = json.dumps(
        {
            **for_json(vars(summary)),
            NO_NUMBER: bad,
            "failed": [{"path": path, "reason": reason} for path, reason in seen.failed],
            "left_out": [{"path": path, "reason": reason} for path, reason in seen.left_out],
            **facts,
        },
        indent=2,
    )
    replace_file(folder / "summary.json", (text + "\n").encode())


def _table(seen: PictureConfusions, class_names: Sequence[str]) -> str:
    """A line a picture: mIoU, pixel accuracy and the IoU of each class that occurs in it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "miou", "pixel_accuracy", *map(protected, class_names)])
    ious, means = class_iou(seen.matrices), mean_iou(seen.matrices)
    accuracies = pixel_accuracy(seen.matrices)
    for place, path in enumerate(seen.paths):
        numbers = [means[place], accuracies[place], *ious[place]]
        cells = ["" if np.isnan(number) else f"{number:.4f}" for number in numbers]
        writer.writerow([protected(path), *cells])
    return text.getvalue()
