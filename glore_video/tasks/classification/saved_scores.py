"""The logits that a test keeps, scores.npz: written the same to the byte, read with every check."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol, cast, get_args

import numpy as np

from glore_video.choices import Match, ViewSpacing, check_choice
from glore_video.errors import MissingFileError, UsageError
from glore_video.tasks.array_files import write_arrays
from glore_video.tasks.classification.sample_kinds import VIDEO, SampleKind, sample_kind


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
    file = _find(Path(path))
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            return _scores(str(file), dict(arrays))
    except (zipfile.BadZipFile, AttributeError, KeyError, EOFError, OSError, TypeError) as error:
        raise UsageError(f"{file}: is no scores.npz of a test: {error}") from None
    except ValueError as error:
        message = str(error)
        raise UsageError(message if message.startswith(str(file)) else f"{file}: {error}") from None


def _find(path: Path) -> Path:
    if path.is_dir():
        for candidate in (path / "scores.npz", path / "test" / "scores.npz"):
            if candidate.is_file():
                return candidate
        raise MissingFileError(f"{path}: holds no scores.npz and no test/scores.npz")
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file or folder")
    return path


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


def sample_keys(scores: SavedScores, match: Match = "path") -> list[tuple[str, int]]:
    """(path, how many times it came before in the list) of each sample: no two are the same.

    match: "name" leaves the folders away, for lists that name the same samples on different disks.

    Raises:
        ValueError: with "name", if samples in different folders have the same name.
    """
    check_choice("match", match, Match)
    seen: dict[str, tuple[str, int]] = {}
    keys = []
    for path in scores.paths:
        key = PurePath(path).name if match == "name" else path
        other, times = seen.get(key, (path, 0))
        if other != path:
            raise UsageError(
                f"{scores.source}: {other} and {path} have the same name, they can't be matched by it"
            )
        keys.append((key, times))
        seen[key] = path, times + 1
    return keys


class HasClasses(Protocol):
    """What was read from one test."""

    @property
    def source(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def kind(self) -> SampleKind: ...


def check_same_classes(runs: Sequence[HasClasses]) -> None:
    """Raises ValueError unless all have the samples' kind and the classes of the first, in its order."""
    first = runs[0]
    for run in runs[1:]:
        if run.kind != first.kind:
            raise UsageError(
                f"{run.source} is of {run.kind.plural}, {first.source} of {first.kind.plural}"
            )
        if run.class_names == first.class_names:
            continue
        if len(run.class_names) != len(first.class_names):
            difference = f"{len(run.class_names)} against {len(first.class_names)}"
        else:
            pairs = zip(run.class_names, first.class_names, strict=True)
            number, (mine, other) = next((n, p) for n, p in enumerate(pairs) if p[0] != p[1])
            difference = f"class {number} is {mine!r} against {other!r}"
        raise UsageError(
            f"{run.source} and {first.source}: the classes are not the same, {difference}"
        )
