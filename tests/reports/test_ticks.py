import pytest

from glore_video.reports.ticks import nice_step, round_ticks


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


@pytest.mark.parametrize(
    ("least", "step"), [(1, 1), (1.1, 2), (2.5, 5), (7, 10), (0.03, 0.05), (0.2, 0.2), (640, 1000)]
)
def test_nice_step(least, step):
    assert nice_step(least) == pytest.approx(step)
