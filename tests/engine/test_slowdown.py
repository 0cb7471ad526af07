"""When a run says that it has become slower for good."""

import pytest

from glore_video.engine.slowdown import Slowdown


def lines(reports, *, threads=2, steps=100):
    """(report, line) of what was said of reports of so many seconds a step."""
    slowdown = Slowdown(threads)
    said = [(n, slowdown.advice(seconds, steps)) for n, seconds in enumerate(reports, start=1)]
    return [(n, line) for n, line in said if line]


USUAL = [0.25, 0.9, 0.26, 0.25, 0.24]  # one of the first is disturbed


@pytest.mark.parametrize(
    ("later", "report"),
    [
        pytest.param([0.3] * 100, None, id="hardly slower"),
        pytest.param([0.5] * 4 + [0.25], None, id="for a while"),
        pytest.param(([0.5] * 3 + [0.25]) * 20, None, id="now and then"),
        pytest.param([0.9] * 100, 10, id="five reports"),
        pytest.param([0.38] * 100, 10, id="just slower"),
        pytest.param([0.376] * 2 + [0.3] + [0.376] * 9, 13, id="anew after a usual one"),
    ],
)
def test_said_once_of_a_run_that_stays_slower(later, report):
    found = lines(USUAL + later)
    assert [n for n, _ in found] == ([] if report is None else [report])


@pytest.mark.parametrize(
    ("threads", "cure"),
    [
        (4, "CPU_THREADS 2 (4 now) may be faster: stopped with Ctrl-C and started again"),
        (1, "with one thread already, only less other work helps"),
    ],
)
def test_the_line_names_the_key(threads, cure):
    [(_, line)] = lines(USUAL + [0.62] * 20, threads=threads)
    assert line.startswith("a step computes for 620 ms, 250 ms at the start: other work keeps the")
    assert cure in line


def test_short_steps_are_watched_for_three_minutes():
    assert [n for n, _ in lines(USUAL + [0.5] * 100, steps=20)] == [23]  # 18 reports of 10 s
