"""One network trained several times, with seeds of its own each time, and tested on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glore_video.errors import UsageError
from glore_video.statistics.confusion import class_iou, mean_of_known
from glore_video.statistics.iou_intervals import runs_iou_interval
from glore_video.tasks.sample_matching import common_samples
from glore_video.tasks.segmentation.comparison import aligned_matrices
from glore_video.tasks.segmentation.saved_confusions import load_confusions


@dataclass(frozen=True, kw_only=True)
class SceneRepetition:
    """Mean IoU of some classes, in percent.

    Attributes:
        ious: of each run.
        mean: over the runs.
        interval: 95%, see `runs_iou_interval`.
    """

    ious: tuple[float, ...]
    mean: float
    interval: tuple[float, float]


def scene_repetition(folders: Sequence[str | Path], names: Sequence[str]) -> SceneRepetition:
    """Of the tests in these OUTPUT_DIRs, one at least.

    Args:
        names: of the classes whose mean is taken.

    Raises:
        MissingFileError: there is no test.
        UsageError: they differ in their pictures, masks or classes, or have no such class.
    """
    runs = [load_confusions(folder) for folder in folders]
    keys, _ = common_samples(runs, allow_missing=False)
    classes = runs[0].class_names
    if missing := [name for name in names if name not in classes]:
        raise UsageError(f"{folders[0]}: no class {missing[0]!r}, but {', '.join(classes)}")
    chosen = [classes.index(name) for name in names]
    matrices = aligned_matrices(runs, keys)  # (runs, pictures, classes, columns)
    ious = mean_of_known(class_iou(matrices.sum(1, dtype=np.float64))[:, chosen])
    return SceneRepetition(
        ious=tuple(ious.tolist()),
        mean=float(ious.mean()),
        interval=runs_iou_interval(matrices, chosen),
    )
