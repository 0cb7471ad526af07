"""Classes of pixels from coarse and overlapping logits, against torch's own scaling and argmax."""

import math

import pytest
import torch
from torch.nn import functional as F

from glore_video.tasks.segmentation import placed_logits
from glore_video.tasks.segmentation.placed_logits import (
    PlacedLogits,
    class_map,
    highest,
    mean_logits,
)


def logits(classes, height, width, seed=0):
    return torch.randn(classes, height, width, generator=torch.Generator().manual_seed(seed))


def scaled(coarse, height, width):
    return F.interpolate(coarse[None].double(), (height, width), mode="bilinear")[0]


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [
        ((8, 16), (64, 128)),
        ((7, 5), (49, 33)),
        ((1, 1), (9, 4)),
        ((6, 6), (5, 3)),
        ((4, 3), (4, 9)),
    ],
)
def test_rows_one_by_one_are_those_of_the_whole(coarse, fine):
    part = PlacedLogits(logits(3, *coarse), 0, 0, *fine)
    expected = scaled(part.logits, *fine)
    torch.testing.assert_close(part.all_rows().double(), expected, rtol=0, atol=1e-5)
    total = torch.ones(3, *fine)
    for first in range(0, fine[0], 2):
        end = min(first + 2, fine[0])
        rows = part.rows(first, end).double()
        torch.testing.assert_close(rows, expected[:, first:end], rtol=0, atol=1e-5)
        part.add_rows(first, end, total[:, first:end])
    torch.testing.assert_close(total.double(), 1 + expected, rtol=0, atol=1e-5)


@pytest.fixture(params=[1, 200, 10**6])
def strip(request, monkeypatch):
    monkeypatch.setattr(placed_logits, "_STRIP", request.param)


@pytest.mark.usefixtures("strip")
def test_the_class_of_the_highest_logit():
    part = PlacedLogits(logits(5, 6, 9), 0, 0, 41, 70)
    assert torch.equal(class_map([part], 41, 70).long(), scaled(part.logits, 41, 70).argmax(0))


@pytest.mark.usefixtures("strip")
@pytest.mark.parametrize("stride", [1, 5])
def test_where_parts_overlap_their_mean_decides(stride):
    places = [(0, 0), (0, 20), (10, 0), (10, 20)]  # of 20 x 30 in 30 x 50
    parts = [
        PlacedLogits(logits(4, 20 // stride, 30 // stride, seed), top, left, 20, 30)
        for seed, (top, left) in enumerate(places)
    ]
    total, times = torch.zeros(4, 30, 50).double(), torch.zeros(30, 50)
    for part in parts:
        where = slice(part.top, part.top + 20), slice(part.left, part.left + 30)
        total[(slice(None), *where)] += scaled(part.logits, 20, 30)
        times[where] += 1
    mean = total / times
    torch.testing.assert_close(mean_logits(iter(parts), 30, 50).double(), mean, rtol=0, atol=1e-5)
    assert torch.equal(class_map(iter(parts), 30, 50).long(), mean.argmax(0))


def test_the_first_of_equals_and_none_where_there_is_no_number():
    nan, inf = math.nan, math.inf
    columns = [
        [1, 1, 0],
        [0, 2, 2],
        [-inf, -3, -inf],
        [nan, 1, 1],
        [inf, 1, 0],
        [-inf] * 3,
        [0] * 3,
    ]
    of_pixels = torch.tensor(columns).T[:, None]  # (classes, 1, pixels)
    assert highest(of_pixels)[0].tolist() == [0, 1, 1, 3, 3, 3, 0]
    assert class_map([PlacedLogits(of_pixels, 0, 0, 1, 7)], 1, 7)[0].tolist() == [
        0,
        1,
        1,
        3,
        3,
        3,
        0,
    ]


def test_as_many_classes_as_masks_can_have():
    wanted = torch.arange(254)
    assert torch.equal(highest(torch.eye(254)).long(), wanted)
