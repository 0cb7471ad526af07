"""Ticks and places of charts."""

import pytest

from glore_video.statistics.calibration import Bin
from glore_video.tasks.classification.report_charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    reliability_chart,
    round_ticks,
    views_chart,
)
from glore_video.tasks.classification.view_curve import CurvePoint


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (41.3, 64.9, [40, 45, 50, 55, 60, 65]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (74.21, 74.93, [74.2, 74.4, 74.6, 74.8, 75.0]),
        (60, 60, [60]),
    ],
)
def test_ticks(low, high, ticks):
    found = round_ticks(low, high, 6)
    assert found[: len(ticks)] == pytest.approx(ticks)
    assert len(found) <= 8


def test_views():
    points = [
        CurvePoint(1, 1, 50.0, (45.0, 55.0), False),
        CurvePoint(2, 1, 60.0, (55.0, 65.0), True),
    ]
    plot = views_chart(points)
    (series,) = plot.series
    first, second = series["points"]
    assert LEFT < first["x"] < second["x"] < RIGHT
    assert TOP <= second["high"] < second["y"] < first["y"] < first["low"] <= BOTTOM
    assert (first["hollow"], second["hollow"]) == (True, False)
    assert plot.y_ticks[0] == (BOTTOM, "45")
    assert plot.y_ticks[-1] == (TOP, "65")
    assert views_chart([CurvePoint(1, 1, 100.0, (100.0, 100.0), True)]).series  # no spread at all


def test_reliability():
    plot = reliability_chart([Bin(0.0, 0.5, 1, 0.4, 0.0), Bin(0.5, 1.0, 4, 0.9, 1.0)])
    low, high = plot.bars
    assert (high["y"], high["height"], high["opacity"]) == (TOP, BOTTOM - TOP, 1.0)
    assert low["height"] == 1.5  # still to be seen
    assert low["opacity"] == 0.65
