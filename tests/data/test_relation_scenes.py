"""Labels of two objects' kinds, and where the objects lie."""

from collections import Counter
from functools import partial

import numpy as np

from glore_video.data.relations import labels
from glore_video.data.relations.scene import MIN_GAP, place_cells
from glore_video.data.relations.video_rendering import DIRECTIONS

class_names = partial(labels.class_names, kinds=DIRECTIONS)


def directions_and_label(labelling, index, rng):
    return labels.kinds_and_label(labelling, DIRECTIONS, index, rng)


def test_class_names_in_label_order():
    assert class_names("same") == ["different", "same"]
    assert class_names("pair") == [
        "left_left", "left_right", "left_up", "left_down", "right_right",
        "right_up", "right_down", "up_up", "up_down", "down_down",
    ]  # fmt: skip


def test_label_says_what_the_directions_are():
    rng = np.random.default_rng(0)
    for index in range(60):
        directions, label = directions_and_label("pair", index, rng)
        assert Counter(class_names("pair")[label].split("_")) == Counter(directions)
        directions, label = directions_and_label("same", index, rng)
        assert class_names("same")[label] == (
            "same" if directions[0] == directions[1] else "different"
        )


def test_same_balances_classes_and_directions():
    rng = np.random.default_rng(0)
    seen = {0: Counter(), 1: Counter()}
    labels = Counter()
    for index in range(24):
        directions, label = directions_and_label("same", index, rng)
        labels[label] += 1
        seen[label].update(directions)
    assert labels == {0: 12, 1: 12}
    for label in (0, 1):
        assert seen[label] == {"left": 6, "right": 6, "up": 6, "down": 6}


def test_either_object_may_have_either_direction_of_a_pair():
    rng = np.random.default_rng(0)
    orders = Counter(directions_and_label("pair", 1, rng)[0] for _ in range(100))
    assert set(orders) == {("left", "right"), ("right", "left")}
    assert min(orders.values()) > 30


def test_cells_stay_in_the_picture_and_apart():
    rng = np.random.default_rng(0)
    for size in (48, 64, 96):
        for _ in range(500):
            cells = place_cells(rng, size)
            gaps = []
            for axis in (0, 1):
                (low, low_side), (high, _) = sorted((c[axis], c[2]) for c in cells)
                assert low >= 0
                assert all(c[axis] + c[2] <= size for c in cells)
                gaps.append(high - low - low_side)
            assert max(gaps) >= MIN_GAP
