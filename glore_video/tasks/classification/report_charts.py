"""The charts of a report: top-1 by the number of clips, accuracy by confidence."""

from __future__ import annotations

from collections.abc import Sequence

from glore_video.reports.plots import BOTTOM, LEFT, RIGHT, TOP, Plot, scale
from glore_video.reports.ticks import round_ticks
from glore_video.statistics.calibration import Bin
from glore_video.tasks.classification.view_curve import CurvePoint
from glore_video.tasks.sample_kinds import SampleKind


def views_chart(points: Sequence[CurvePoint], kind: SampleKind) -> Plot:
    """Top-1 by the number of clips, a line for each number of crops."""
    ends = [end for point in points for end in point.interval]
    y_values = round_ticks(min(ends), max(ends) if max(ends) > min(ends) else min(ends) + 1, 6)
    clips = sorted({point.clips for point in points})
    x = scale(min(clips) - 0.5, max(clips) + 0.5, LEFT, RIGHT)
    y = scale(y_values[0], y_values[-1], BOTTOM, TOP)
    plot = Plot(
        title=f"{kind.top_name(1)} by the number of clips",
        x_label=f"clips a {kind.noun}",
        y_label="top-1, %",
        x_ticks=[(x(number), str(number)) for number in clips],
        y_ticks=[(y(value), f"{value:g}") for value in y_values],
    )
    for aside, crops in enumerate(sorted({point.crops for point in points}, reverse=True)):
        own = [point for point in points if point.crops == crops]
        plot.series.append(
            {
                "name": "3 crops" if crops == 3 else "1 crop, the middle one",
                "path": "M" + " L".join(f"{x(p.clips) + 3 * aside} {y(p.top1)}" for p in own),
                "points": [
                    {
                        "x": x(p.clips) + 3 * aside,  # ranges do not hide one another
                        "y": y(p.top1),
                        "low": y(p.interval[0]),
                        "high": y(p.interval[1]),
                        "hollow": not p.exact,
                        "title": f"{p.clips} x {p.crops}: {p.top1:.2f}%, "
                        f"95%: {p.interval[0]:.2f} to {p.interval[1]:.2f}",
                    }
                    for p in own
                ],
            }
        )
    return plot


def reliability_chart(bins: Sequence[Bin], kind: SampleKind) -> Plot:
    """Accuracy by confidence as bars, the darker the more samples."""
    x, y = scale(0, 1, LEFT, RIGHT), scale(0, 1, BOTTOM, TOP)
    plot = Plot(
        title="accuracy by confidence",
        x_label="probability of the predicted class, %",
        y_label="accuracy, %",
        x_ticks=[(x(n / 5), str(20 * n)) for n in range(6)],
        y_ticks=[(y(n / 5), str(20 * n)) for n in range(6)],
        ideal=f"M{x(0)} {y(0)} L{x(1)} {y(1)}",
    )
    most = max((each.samples for each in bins), default=1)
    for each in bins:
        plot.bars.append(
            {
                "x": round(x(each.low) + 1, 1),
                "width": round(x(each.high) - x(each.low) - 2, 1),
                "y": y(each.accuracy),
                "height": round(max(1.5, BOTTOM - y(each.accuracy)), 1),
                "opacity": round(0.3 + 0.7 * (each.samples / most) ** 0.5, 2),
                "title": f"{100 * each.low:.0f} to {100 * each.high:.0f}%: {each.samples} {kind.plural}, "
                f"mean probability {100 * each.confidence:.1f}%, "
                f"accuracy {100 * each.accuracy:.1f}%",
            }
        )
    return plot
