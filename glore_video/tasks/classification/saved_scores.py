"""The logits that a test keeps, scores.npz: written the same to the byte, read with every check."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np

from glore_video.choices import ViewSpacing
from glore_video.errors import UsageError
from glore_video.tasks.array_files import write_arrays
from glore_video.tasks.results_folder import find_file
from glore_video.tasks.sample_kinds import VIDEO, SampleKind, sample_kind

FILE = "scores.npz"


@dataclass(frozen=True, kw_only=True)
class ViewPlan:
    """Which views a test takes of a sample: each of its clips in each of its crops.

    Attributes:
        clips, crops: how many. View v is crop v % crops of clip v // crops. A picture is one clip.
        spacing: how the clips are spread (TEST.VIEW_SPACING); None in files that do not say.
        short_side: what frames were scaled to, pixels; 0 in files that do not say.
    """

    clips: int
    crops: int
    spacing: ViewSpacing | None = None
    short_side: int = 0

    @property
    def views(self) -> int:
        return self.clips * self.crops


@dataclass(frozen=True, kw_only=True)
class SavedScores:
    """The scored samples of one test, in the order of its list.

    Attributes:
        source: where they were read from, for messages.
        paths: of the samples.
        labels: int64 (samples,).
        logits: float32 (samples, views, classes).
        class_names: one a class.
        plan: what the views are.
        kind: what the samples are.
    """

    source: str
    paths: tuple[str, ...]
    labels: np.ndarray
    logits: np.ndarray
    class_names: tuple[str, ...]
    plan: ViewPlan
    kind: SampleKind = VIDEO


def save_scores(path: Path, scores: SavedScores) -> None:
    """Write the file, whole or not at all. The same scores give the same bytes at any time.

    Everything but the logits is compressed: they would take a minute a gigabyte to lose a tenth.
    """
    plan = scores.plan
    views = np.arange(plan.views)
    arrays = {
        "paths": np.array(scores.paths, dtype=np.str_),
        "labels": scores.labels,
        "logits": scores.logits,
        "clip_of_view": views // plan.crops,
        "crop_of_view": views % plan.crops,
        "class_names": np.array(scores.class_names, dtype=np.str_),
        "view_spacing": np.array(plan.spacing or "", dtype=np.str_),
        "short_side": np.array(plan.short_side, dtype=np.int64),
    }
    if scores.kind != VIDEO:  # what files that say nothing are of
        arrays["sample"] = np.array(scores.kind.noun, dtype=np.str_)
    write_arrays(path, arrays, as_they_are=("logits",))


def load_scores(path: str | Path) -> SavedScores:
    """Read scores.npz: the file, the `test` folder that it lies in, or the run's OUTPUT_DIR.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no such file, or its parts do not fit together.
    """
    file = find_file(Path(path), FILE)
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            return _scores(str(file), dict(arrays))
    except (zipfile.BadZipFile, AttributeError, KeyError, EOFError, OSError, TypeError) as error:
        raise UsageError(f"{file}: is no scores.npz of a test: {error}") from None
    except ValueError as error:
        message = str(error)
        raise UsageError(message if message.startswith(str(file)) else f"{file}: {error}") from None


def _scores(source: str, arrays: dict[str, np.ndarray]) -> SavedScores:
    paths, labels, logits = arrays["paths"], arrays["labels"], arrays["logits"]
    names = arrays["class_names"]
    clips, crops = arrays["clip_of_view"], arrays["crop_of_view"]
    kind = sample_kind(str(arrays["sample"])) if "sample" in arrays else VIDEO
    if logits.ndim != 3 or logits.shape != (len(paths), len(clips), len(names)):
        raise UsageError(
            f"{source}: logits of shape {logits.shape} for {len(paths)} {kind.plural}, {len(clips)} "
            f"views and {len(names)} classes"
        )
    if labels.shape != (len(paths),) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"{source}: {labels.shape} labels of {labels.dtype}, {len(paths)} {kind.plural}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise UsageError(
            f"{source}: labels from {labels.min()} to {labels.max()}, but {len(names)} classes"
        )
    num_crops = int(crops.max()) + 1 if len(crops) else 1
    views = np.arange(len(clips))
    if not (
        np.array_equal(clips, views // num_crops)
        and np.array_equal(crops, views % num_crops)
        and len(clips) % num_crops == 0
    ):
        raise UsageError(f"{source}: the views are not all crops of one clip after the other")
    spacing = str(arrays["view_spacing"]) if "view_spacing" in arrays else ""
    return SavedScores(
        source=source,
        paths=tuple(paths.tolist()),
        labels=labels.astype(np.int64),
        logits=logits,
        class_names=tuple(names.tolist()),
        plan=ViewPlan(
            clips=len(clips) // num_crops,
            crops=num_crops,
            spacing=cast(ViewSpacing, spacing) if spacing in get_args(ViewSpacing) else None,
            short_side=int(arrays["short_side"]) if "short_side" in arrays else 0,
        ),
        kind=kind,
    )
