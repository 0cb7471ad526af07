"""Tests of classifiers that are over, see tasks/saved_tests.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from glore_video.choices import Backend
from glore_video.tasks.classification.alignment import load_predictions
from glore_video.tasks.classification.comparison import compare
from glore_video.tasks.classification.comparison_page import text_lines, write_comparison
from glore_video.tasks.classification.report import write_report
from glore_video.tasks.classification.saved_scores import FILE
from glore_video.tasks.results_folder import find_file
from glore_video.tasks.saved_tests import Compared, CompareRequest
from glore_video.video.stills import sample_frames

__all__ = ["ARRAY", "FILE", "FLAGS", "WORDS", "compared", "rebuilt"]

ARRAY = "logits"
WORDS = "a classification"
FLAGS = frozenset({"--correction", "--backend"})


def compared(request: CompareRequest) -> Compared:
    """Top-1 by sample, McNemar's exact test, classes corrected for many tests."""
    first = [load_predictions(path, match=request.match) for path in request.first]
    comparisons = [
        compare(
            first,
            [load_predictions(path, match=request.match) for path in paths],
            allow_missing=request.allow_missing,
            correction=request.correction or "holm",
        )
        for paths in request.others
    ]
    return Compared(
        list(text_lines(comparisons)), partial(write_comparison, comparisons=comparisons)
    )


def rebuilt(folder: Path, *, pictures: bool, backend: Backend) -> Path:
    """Of scores.npz and summary.json; pictures are of the worst mistakes."""
    frames_of = partial(sample_frames, backend=backend) if pictures else None
    return write_report(find_file(folder, FILE).parent, frames_of=frames_of)
