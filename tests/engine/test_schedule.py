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
