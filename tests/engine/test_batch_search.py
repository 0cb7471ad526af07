"""The search of the largest batch that fits, with memory that is made up."""

import random

import pytest

from glore_video.engine.batch_search import largest_batch


class Memory:
    """Needs of batches, and what was tried."""

    def __init__(self, needs, most=10**9):
        self.needs, self.most, self.tried = needs, most, []

    def __call__(self, batch):
        self.tried.append(batch)
        needed = self.needs(batch)
        return needed if needed <= self.most else None


def even(batch):
    return 100 + 7 * batch


@pytest.mark.parametrize(
    ("room", "found", "tried"),
    [
        (106, 0, [2, 1]),
        (107, 1, [2, 1]),
        (114, 2, [2, 4, 3]),
        (127, 3, [2, 4, 3]),
        (100 + 7 * 21, 21, [2, 4, 8, 16, 32, 24, 20, 22, 21]),
        (10**6, 40, [2, 4, 8, 16, 32, 40]),
    ],
    ids=["none", "one", "two", "three", "twenty-one", "all up to the limit"],
)
def test_what_is_found_and_what_is_tried(room, found, tried):
    memory = Memory(even)
    assert largest_batch(memory, limit=40, room=room) == found
    assert memory.tried == tried


@pytest.mark.parametrize("limit", [1, 2, 3, 29, 64])
@pytest.mark.parametrize("step", [1, 3])
def test_small_ones_are_found_exactly(limit, step):
    for most in range(limit + 3):
        memory = Memory(lambda batch: batch, most=most * step)
        found = largest_batch(memory, step=step, limit=limit * step, room=10**9)
        if found <= 32 * step:
            assert found == min(most, limit) * step
        assert 0 <= min(most, limit) * step - found <= found // 32
        assert all(batch % step == 0 and batch <= limit * step for batch in memory.tried)
        assert len(set(memory.tried)) == len(memory.tried)


def test_large_ones_to_a_thirty_second():
    memory = Memory(lambda batch: batch, most=1000)
    found = largest_batch(memory, limit=10**6, room=10**9)
    assert 1000 - 1000 // 32 <= found <= 1000
    assert len(memory.tried) < 17


def test_what_is_left_free_is_not_used():
    assert largest_batch(Memory(even, most=100 + 7 * 20), limit=99, room=100 + 7 * 18) == 18


@pytest.mark.parametrize("seed", range(20))
def test_uneven_memory_ends_at_a_batch_that_was_tried_and_fits(seed):
    draw = random.Random(seed)
    noise = [draw.randint(0, 900) for _ in range(200)]
    memory = Memory(lambda batch: 100 * batch + noise[batch], most=5000)
    found = largest_batch(memory, limit=199, room=4500)
    assert memory.tried.count(found) == 1
    assert memory.needs(found) <= 4500
    larger = min(batch for batch in memory.tried if memory.needs(batch) > 4500)
    assert larger <= found + max(1, found // 32) or larger < found


@pytest.mark.parametrize(
    "numbers", [{"step": 0}, {"room": 0}, {"limit": 0}, {"step": 3, "limit": 2}]
)
def test_what_can_not_be_searched(numbers):
    with pytest.raises(ValueError, match="must be positive, limit step or more"):
        largest_batch(even, **{"limit": 4, "room": 9, **numbers})
