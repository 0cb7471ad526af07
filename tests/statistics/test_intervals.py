"""Bootstrap intervals hold what they promise on simulated tests."""

import math

import numpy as np
import pytest

from glore_video.statistics.intervals import (
    bootstrap_means,
    class_mean_interval,
    mean_interval,
    percent_interval,
    runs_interval,
)

TESTS = 1000


def coverage(intervals, truth):
    low, high = np.array(intervals).T
    return np.mean((low <= truth) & (truth <= high))


@pytest.mark.parametrize(("accuracy", "videos"), [(0.75, 2000), (0.5, 500), (0.92, 2000)])
def test_interval_of_an_accuracy_holds_the_truth_in_95_of_100_tests(accuracy, videos):
    rng = np.random.default_rng(1)
    intervals = [
        mean_interval(rng.random(videos) < accuracy, samples=2000, seed=number)
        for number in range(TESTS)
    ]
    assert 0.93 <= coverage(intervals, accuracy) <= 0.97


def test_interval_of_a_paired_difference_holds_the_truth_in_95_of_100_tests():
    rng = np.random.default_rng(2)
    # 7% of the videos are lost and 8.2% gained: a true difference of 1.2 points.
    intervals = [
        mean_interval(
            rng.choice([-100.0, 0.0, 100.0], size=2000, p=[0.07, 0.848, 0.082]),
            samples=2000,
            seed=number,
        )
        for number in range(TESTS)
    ]
    assert 0.93 <= coverage(intervals, 1.2) <= 0.97


def test_interval_of_the_class_mean():
    rng = np.random.default_rng(3)
    of_class = np.array([0.9, 0.5, 0.7, 0.8])
    labels = np.arange(800) % 4
    intervals = [
        class_mean_interval(rng.random(800) < of_class[labels], labels, samples=500, seed=number)
        for number in range(400)
    ]
    assert 0.92 <= coverage(intervals, 72.5) <= 0.98


def test_same_distribution_as_drawing_videos_one_by_one():
    values = np.array([0.0, 0.0, 0.0, 1.0, 3.0])
    rng = np.random.default_rng(0)
    one_by_one = values[rng.integers(5, size=(40_000, 5))].mean(axis=1)
    at_once = bootstrap_means(values, samples=40_000, seed=0)
    levels = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(
        np.quantile(at_once, levels), np.quantile(one_by_one, levels), atol=0.201
    )
    assert at_once.mean() == pytest.approx(0.8, abs=0.01)
    assert at_once.std() == pytest.approx(values.std() / math.sqrt(5), rel=0.02)


def test_large_draws_go_in_parts():
    values = np.arange(3000.0)  # all distinct
    low, high = mean_interval(values, samples=2000)
    half = 1.96 * values.std() / math.sqrt(3000)
    assert (low, high) == (
        pytest.approx(1499.5 - half, abs=2.5),
        pytest.approx(1499.5 + half, abs=2.5),
    )


def test_ends():
    assert mean_interval(np.full(9, 100.0)) == (100.0, 100.0)
    assert all(math.isnan(end) for end in mean_interval(np.zeros(0)))
    empty = np.zeros(0, np.int64)
    assert all(math.isnan(end) for end in class_mean_interval(empty > 0, empty))


def test_runs_that_differ_vary_by_student_t():
    # 40, 50 and 60 of 100: mean 50, standard error 10 / sqrt(3), quantile 4.302653 (2 degrees)
    right = np.arange(100) < np.array([[40], [50], [60]])
    reach = 4.302653 * 10 / 3**0.5
    assert runs_interval(right) == pytest.approx((50 - reach, 50 + reach), abs=1e-3)
    # 80, 95, 100: beyond 100% there is nothing
    assert runs_interval(np.arange(100) < np.array([[80], [95], [100]]))[1] == 100


def test_runs_that_are_alike_vary_by_their_test():
    right = np.arange(200) < 150
    alone = percent_interval(right.astype(float))
    assert runs_interval(right[None]) == alone
    assert runs_interval(np.stack([right] * 3)) == alone
    assert runs_interval(np.ones((3, 480), bool))[0] == pytest.approx(99.2344, abs=1e-3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        mean_interval(np.ones(3), level=95)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        mean_interval(np.ones(3), samples=0)
    with pytest.raises(ValueError, match=r"one an observation, got shape \(3, 2\)"):
        mean_interval(np.ones((3, 2)))


def test_all_right_is_not_certain():
    # 0.025 ** (1 / 480) and 0.025 ** (1 / 3)
    assert percent_interval(np.ones(480)) == (pytest.approx(99.2344, abs=1e-3), 100.0)
    assert percent_interval(np.zeros(3)) == (0.0, pytest.approx(100 - 29.2402, abs=1e-3))
    shares = np.array([0.0, 0.5, 1.0, 1.0])
    assert percent_interval(shares) == mean_interval(100 * shares)
    assert all(math.isnan(end) for end in percent_interval(np.zeros(0)))


def test_of_classes_that_are_all_right_the_interval_is_that_of_all_videos():
    right, labels = np.ones(20, dtype=bool), np.arange(20) % 4
    # Wilson's interval of 20 of 20 is 83.9 to 100; 0.025 ** (1 / 20) is the exact one.
    assert class_mean_interval(right, labels) == (pytest.approx(83.157, abs=1e-3), 100.0)
    assert class_mean_interval(~right, labels) == (0.0, pytest.approx(16.843, abs=1e-3))
    assert class_mean_interval(right, labels)[0] == pytest.approx(percent_interval(right)[0])
    # Of 19 videos and one the mean over classes is worth 4 / (1 / 19 + 1) = 3.8 videos.
    uneven = class_mean_interval(right, np.array([0] * 19 + [1]))
    assert uneven == (pytest.approx(100 * 0.025 ** (1 / 3.8)), 100.0)


def test_of_classes_that_are_all_right_or_all_wrong_the_interval_is_no_point():
    labels = np.repeat([0, 1], 50)
    low, high = class_mean_interval(labels == 0, labels)
    other = 1 - 0.025 ** (1 / 100)
    assert (low, high) == (pytest.approx(50 * (1 - other)), pytest.approx(50 * (1 + other)))


def test_all_alike_is_not_certain():
    assert mean_interval(np.full(10, 50.0), bounds=(0, 100)) == (
        pytest.approx(50 - 50 * (1 - 0.025**0.1)),
        pytest.approx(50 + 50 * (1 - 0.025**0.1)),
    )
    # Two runs that say the same of 20 videos: 100 * (1 - 0.025 ** (1 / 20)).
    low, high = mean_interval(np.zeros(20), bounds=(-100, 100))
    assert (low, high) == (pytest.approx(-16.843, abs=1e-3), pytest.approx(16.843, abs=1e-3))


def test_all_alike_holds_the_truth_as_often_as_it_says():
    # Of 20 videos each right with this probability, 1 in 40 tests has all right: just inside.
    truth = 0.025 ** (1 / 20)
    assert percent_interval(np.ones(20))[0] == pytest.approx(100 * truth)
    assert truth**20 == pytest.approx(0.025)
