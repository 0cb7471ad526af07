"""One network trained several times, with seeds of its own each time, and tested on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glore_video.errors import MissingFileError, UsageError
from glore_video.statistics.confusion import class_iou, mean_of_known
from glore_video.statistics.iou_intervals import runs_iou_interval


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
        UsageError: they differ in their pictures or classes, or have no such class.
    """
    tests = [_read(Path(folder)) for folder in folders]
    (paths, classes, _), *others = tests
    if any(each[:2] != (paths, classes) for each in others):
        raise UsageError(f"{', '.join(map(str, folders))}: tests of other pictures or classes")
    if missing := [name for name in names if name not in classes]:
        raise UsageError(f"{folders[0]}: no class {missing[0]!r}, but {', '.join(classes)}")
    chosen = [classes.index(name) for name in names]
    runs = [matrices for _, _, matrices in tests]
    ious = [float(mean_of_known(class_iou(each.sum(0))[chosen])) for each in runs]
    return SceneRepetition(
        ious=tuple(ious), mean=float(np.mean(ious)), interval=runs_iou_interval(runs, chosen)
    )


def _read(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Paths, names of the classes, and float64 matrices (pictures, classes, classes + 1)."""
    path = folder / "test" / "confusions.npz"
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; a test of the segmentation leaves it")
    with np.load(path, allow_pickle=False) as kept:
        order = np.argsort(kept["paths"])
        return (
            tuple(kept["paths"][order].tolist()),
            tuple(kept["class_names"].tolist()),
            kept["matrices"][order].astype(np.float64),
        )
