"""The evaluation that the benchmark of Cityscapes runs, of cityscapesscripts, on files of label ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NAMES = {
    "class_iou": "classScores",
    "category_iou": "categoryScores",
    "class_iiou": "classInstScores",
    "category_iiou": "categoryInstScores",
    "miou": "averageScoreClasses",
    "mean_category_iou": "averageScoreCategories",
    "mean_iiou": "averageScoreInstClasses",
    "mean_category_iiou": "averageScoreInstCategories",
}
"""Figures of summary.json -> keys of `official_scores`."""


def official_scores(
    monkeypatch: pytest.MonkeyPatch, predictions: Sequence[Path], truths: Sequence[Path]
) -> dict[str, Any]:
    """What evaluateImgLists gives, shares of 1; skips the test where cityscapesscripts is not installed."""
    benchmark = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="cityscapesscripts is not installed",
    )
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)  # which NumPy 2.4 has no more
    for name, value in (("quiet", True), ("JSONOutput", False), ("evalInstLevelScore", True)):
        monkeypatch.setattr(benchmark.args, name, value)
    files = [[str(path) for path in paths] for paths in (predictions, truths)]
    scores: dict[str, Any] = benchmark.evaluateImgLists(*files, benchmark.args)
    return scores


def assert_official(summary: dict[str, Any], official: dict[str, Any]) -> None:
    """All figures of a summary.json against those of cityscapesscripts, to 1e-6 percent."""
    for ours, theirs in NAMES.items():
        expected = official[theirs]
        if not isinstance(expected, dict):
            assert summary[ours] == pytest.approx(100 * expected, abs=1e-6), ours
            continue
        for name, value in expected.items():
            found = summary[ours].get(name)
            if np.isnan(value):
                assert found is None, (ours, name)
            else:
                assert found == pytest.approx(100 * value, abs=1e-6), (ours, name)
        assert set(summary[ours]) <= set(expected), ours
