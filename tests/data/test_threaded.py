"""Work in threads: in order, bounded, and given up at once after an error."""

import threading

import pytest

from glore_video.data.threaded import in_threads


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order(threads):
    assert list(in_threads(lambda item: item**2, range(100), threads)) == [n**2 for n in range(100)]
    assert list(in_threads(str, [], threads)) == []


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for number in range(10_000):
            taken.append(number)
            yield number

    results = in_threads(lambda item: item, items(), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) < 50
    results.close()
    assert len(taken) < 50


def test_an_error_ends_the_work():
    begun = []

    def action(item):
        begun.append(item)
        if item == 0:
            raise ValueError("this one")
        return item

    results = in_threads(action, range(1000), 2)
    with pytest.raises(ValueError, match="this one"):
        next(results)
    assert len(begun) < 50
    assert list(results) == []


def test_several_threads_work_at_once():
    both = threading.Barrier(2, timeout=30)
    assert list(in_threads(lambda item: both.wait() >= 0, range(2), 2)) == [True, True]
