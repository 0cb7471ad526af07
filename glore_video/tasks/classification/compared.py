"""Tests of classifiers under `glore-video compare`, see tasks/comparisons.py."""

from __future__ import annotations

from functools import partial

from glore_video.tasks.classification.alignment import load_predictions
from glore_video.tasks.classification.comparison import compare
from glore_video.tasks.classification.comparison_page import text_lines, write_comparison
from glore_video.tasks.classification.saved_scores import FILE
from glore_video.tasks.comparisons import Compared, CompareRequest

__all__ = ["ARRAY", "FILE", "FLAGS", "WORDS", "compared"]

ARRAY = "logits"
WORDS = "a classification"
FLAGS = frozenset({"--correction"})


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
