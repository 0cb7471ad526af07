"""Learning rates by hand."""

import pytest

from glore_video.engine.schedule import Schedule


def rates(schedule, epochs):
    return [schedule.at(epoch) for epoch in epochs]


def test_cosine_with_warmup():
    schedule = Schedule(
        policy="cosine", base_lr=0.1, max_epoch=12, warmup_epochs=4, warmup_start_lr=0.01
    )
    # cos(pi / 3) = 1/2, so the warm-up ends at 0.1 * 0.75
    assert rates(schedule, [0, 2, 4, 6, 8, 12]) == pytest.approx(
        [0.01, 0.0425, 0.075, 0.05, 0.025, 0.0]
    )


def test_cosine_after_warmup_and_end_rate():
    schedule = Schedule(
        policy="cosine",
        base_lr=0.1,
        max_epoch=12,
        warmup_epochs=4,
        cosine_end_lr=0.02,
        cosine_after_warmup=True,
    )
    assert rates(schedule, [0, 2, 4, 8, 12]) == pytest.approx([0.0, 0.05, 0.1, 0.06, 0.02])


def test_polynomial():
    schedule = Schedule(policy="poly", base_lr=0.01, max_epoch=10, cosine_end_lr=1e-5)
    expected = [1e-5 + (0.01 - 1e-5) * (1 - done) ** 0.9 for done in (0, 0.25, 0.5, 1)]
    assert rates(schedule, [0, 2.5, 5, 10]) == pytest.approx(expected)


def test_polynomial_after_a_warm_up():
    schedule = Schedule(
        policy="poly",
        base_lr=0.1,
        max_epoch=12,
        warmup_epochs=4,
        cosine_after_warmup=True,
        poly_power=2,
    )
    assert rates(schedule, [0, 2, 4, 8, 12]) == pytest.approx([0, 0.05, 0.1, 0.025, 0])


def test_steps():
    schedule = Schedule(
        policy="steps_with_relative_lrs",
        base_lr=0.5,
        max_epoch=10,
        warmup_epochs=1,
        warmup_start_lr=0.1,
        steps=(0, 4, 8),
        relative_lrs=(1, 0.1, 0.01),
    )
    assert rates(schedule, [0, 0.5, 1, 3.99, 4, 7.9, 8, 10]) == pytest.approx(
        [0.1, 0.3, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    )


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("warmup", [8, 34])
def test_warm_up_no_shorter_than_the_run_rises_towards_the_base_rate(after, warmup):
    schedule = Schedule(
        policy="cosine",
        base_lr=0.1,
        max_epoch=8,
        warmup_epochs=warmup,
        warmup_start_lr=0.02,
        cosine_after_warmup=after,
    )
    # A straight line from 0.02 that would reach 0.1 at the end of the warm-up.
    expected = [0.02, 0.02 + 0.08 * 4 / warmup, 0.02 + 0.08 * 7.9 / warmup]
    assert rates(schedule, [0, 4, 7.9]) == pytest.approx(expected)


def test_warm_up_over_the_steps_of_a_longer_run():
    schedule = Schedule(
        policy="steps_with_relative_lrs",
        base_lr=0.5,
        max_epoch=4,
        warmup_epochs=10,
        steps=(0, 3, 9),
        relative_lrs=(1, 0.1, 0.01),
    )
    assert rates(schedule, [0, 2, 3.5, 4]) == pytest.approx([0.0, 0.1, 0.175, 0.2])
