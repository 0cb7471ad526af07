"""Places of charts."""

from glore_video.reports.plots import BOTTOM, LEFT, RIGHT, TOP
from glore_video.statistics.calibration import Bin
from glore_video.tasks.classification.report_charts import reliability_chart, views_chart
from glore_video.tasks.classification.view_curve import CurvePoint
from glore_video.tasks.sample_kinds import VIDEO


def test_views():
    points = [
        CurvePoint(1, 1, 50.0, (45.0, 55.0), False),
        CurvePoint(2, 1, 60.0, (55.0, 65.0), True),
    ]
    plot = views_chart(points, VIDEO)
    (series,) = plot.series
    first, second = series["points"]
    assert LEFT < first["x"] < second["x"] < RIGHT
    assert TOP <= second["high"] < second["y"] < first["y"] < first["low"] <= BOTTOM
    assert (first["hollow"], second["hollow"]) == (True, False)
    assert plot.y_ticks[0] == (BOTTOM, "45")
    assert plot.y_ticks[-1] == (TOP, "65")
    assert views_chart(
        [CurvePoint(1, 1, 100.0, (100.0, 100.0), True)], VIDEO
    ).series  # no spread at all


def test_reliability():
    plot = reliability_chart([Bin(0.0, 0.5, 1, 0.4, 0.0), Bin(0.5, 1.0, 4, 0.9, 1.0)], VIDEO)
    low, high = plot.bars
    assert (high["y"], high["height"], high["opacity"]) == (TOP, BOTTOM - TOP, 1.0)
    assert low["height"] == 1.5  # still to be seen
    assert low["opacity"] == 0.65
