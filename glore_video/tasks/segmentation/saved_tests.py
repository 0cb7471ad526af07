"""Tests of segmentations that are over, see tasks/saved_tests.py."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from glore_video.choices import Backend
from glore_video.config import load_config
from glore_video.data.masks.mask_classes import numbered_classes
from glore_video.errors import UsageError
from glore_video.tasks.results_folder import find_file
from glore_video.tasks.saved_tests import Compared, CompareRequest
from glore_video.tasks.segmentation.comparison import compare
from glore_video.tasks.segmentation.comparison_page import text_lines, write_comparison
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions
from glore_video.tasks.segmentation.report import write_report
from glore_video.tasks.segmentation.saved_confusions import FILE, load_confusions
from glore_video.tasks.segmentation.task import Segmentation

__all__ = ["ARRAY", "FILE", "FLAGS", "WORDS", "compared", "rebuilt"]

ARRAY = "matrices"
WORDS = "a segmentation"
FLAGS: frozenset[str] = frozenset()


def compared(request: CompareRequest) -> Compared:
    """Mean IoU and IoU by class, with bootstrap intervals over pictures."""
    first = [load_confusions(path, match=request.match) for path in request.first]
    comparisons = [
        compare(
            first,
            [load_confusions(path, match=request.match) for path in paths],
            allow_missing=request.allow_missing,
        )
        for paths in request.others
    ]
    return Compared(
        list(text_lines(comparisons)), partial(write_comparison, comparisons=comparisons)
    )


def rebuilt(folder: Path, *, pictures: bool, backend: Backend) -> Path:
    """Of confusions.npz and summary.json; pictures are of the worst ones, as config.yaml finds them.

    Raises UsageError if the data are not there any more, unless no pictures are wanted.
    """
    folder = find_file(folder, FILE).parent
    saved = load_confusions(folder / FILE)
    seen = PictureConfusions(saved.matrices, saved.paths)
    if not pictures:
        classes = replace(
            numbered_classes(saved.class_names, saved.source),
            colours=tuple((int(r), int(g), int(b)) for r, g, b in saved.colours),
        )
        return write_report(folder, seen, classes=classes)
    try:
        evaluation = Segmentation(load_config(folder / "config.yaml")).evaluation()
    except UsageError as error:
        raise UsageError(f"{error}; --no-pictures writes the report without data") from None
    evaluation = replace(evaluation, predictions=folder / "predictions")
    if evaluation.class_names != saved.class_names:
        raise UsageError(
            f"{saved.source}: its classes are not those of the data folder any more; --no-pictures "
            "writes the report without data"
        )
    return write_report(
        folder, seen, classes=evaluation.scenes.classes, frames_of=evaluation.frames
    )
