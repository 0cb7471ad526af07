"""What a test of a segmentation leaves: summary.json, pictures.csv and confusions.npz."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.files.whole_files import for_json, replace_file
from glore_video.statistics.confusion import (
    class_accuracy,
    class_iou,
    mean_iou,
    mean_of_known,
    pixel_accuracy,
)
from glore_video.statistics.iou_intervals import mean_iou_interval
from glore_video.tasks.segmentation.official_scores import OfficialScores, official_scores
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions
from glore_video.tasks.segmentation.picture_table import picture_table
from glore_video.tasks.segmentation.saved_confusions import save_confusions

NO_NUMBER = "not_finite"


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
        official: of data sets whose classes are in groups, as Cityscapes' are.
    """

    miou: float
    miou_interval: tuple[float, float]
    pixel_accuracy: float
    mean_class_accuracy: float
    class_iou: Mapping[str, float]
    pictures_expected: int
    pictures_scored: int
    pictures_not_finite: int
    official: OfficialScores | None = None

    @property
    def named(self) -> dict[str, Any]:
        """All figures by their names in summary.json."""
        figures = {name: value for name, value in vars(self).items() if name != "official"}
        return figures | (self.official.known if self.official else {})

    @property
    def figures(self) -> dict[str, Any]:
        """Of the test's line in metrics.jsonl; empty if nothing was scored."""
        if not self.pictures_scored:
            return {}
        return {name: value for name, value in self.named.items() if not isinstance(value, Mapping)}

    @property
    def line(self) -> str:
        """The main figures in words."""
        of = f"({self.pictures_scored} of {self.pictures_expected} pictures)"
        if math.isnan(self.miou):
            return f"no pixel of their masks counts {of}"
        parts = [f"mIoU {self.miou:.2f}%"]
        if self.official:
            parts.append(f"categories {self.official.mean_category_iou:.2f}%")
            if self.official.mean_iiou is not None:
                parts.append(
                    f"iIoU {self.official.mean_iiou:.2f}%, categories "
                    f"{self.official.mean_category_iiou:.2f}%"
                )
        parts.append(f"pixels {self.pixel_accuracy:.2f}%")
        return f"{', '.join(parts)} {of}"

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


def summarize(seen: PictureConfusions, classes: MaskClasses) -> SceneSummary:
    total = seen.total
    return SceneSummary(
        miou=float(mean_iou(total)),
        miou_interval=mean_iou_interval(seen.matrices),
        pixel_accuracy=float(pixel_accuracy(total)),
        mean_class_accuracy=float(mean_of_known(class_accuracy(total))),
        class_iou=dict(zip(classes.names, class_iou(total).tolist(), strict=True)),
        pictures_expected=len(seen.paths) + len(seen.failed) + len(seen.left_out),
        pictures_scored=len(seen.paths),
        pictures_not_finite=int(seen.not_finite.sum()),
        official=official_scores(total, seen.total_instances, classes),
    )


def write_results(
    folder: Path,
    seen: PictureConfusions,
    summary: SceneSummary,
    *,
    classes: MaskClasses,
    facts: Mapping[str, Any],
) -> None:
    """Write the three files, each whole or not at all.

    Args:
        facts: more keys of summary.json, such as seconds, checkpoint, parameters and gmacs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_confusions(folder, seen, classes.names, classes.colour_table)
    replace_file(folder / "pictures.csv", picture_table(seen, classes))
    bad = [path for path, wrong in zip(seen.paths, seen.not_finite, strict=True) if wrong]
    text = json.dumps(
        {
            **for_json(summary.named),
            NO_NUMBER: bad,
            "failed": [{"path": path, "reason": reason} for path, reason in seen.failed],
            "left_out": [{"path": path, "reason": reason} for path, reason in seen.left_out],
            **facts,
        },
        indent=2,
    )
    replace_file(folder / "summary.json", (text + "\n").encode())
