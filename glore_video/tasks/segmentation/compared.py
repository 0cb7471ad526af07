"""Tests of segmentations under `glore-video compare`, see tasks/comparisons.py."""

from __future__ import annotations

from functools import partial

from glore_video.tasks.comparisons import Compared, CompareRequest
from glore_video.tasks.segmentation.comparison import compare
from glore_video.tasks.segmentation.comparison_page import text_lines, write_comparison
from glore_video.tasks.segmentation.saved_confusions import FILE, load_confusions

__all__ = ["ARRAY", "FILE", "FLAGS", "WORDS", "compared"]

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
