"""Holes: their places and sizes, and what fills them."""

import math
from collections import Counter

import pytest
import torch

from glore_video.pixels.erasing import RandomErasing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


def values(frames):
    return [tuple(pixel) for pixel in frames.reshape(-1, 3).tolist()]


def test_boxes_by_hand(monkeypatch):
    # area 0.16 of 100 x 200, half of it a box: 1600 pixels; height / width 4 -> 80 x 20, 1/4 -> 20 x 80
    draws = iter([0.16, math.log(4), 0.16, math.log(1 / 4)])
    monkeypatch.setattr("glore_video.pixels.erasing.uniform", lambda *_: next(draws))
    monkeypatch.setattr("glore_video.pixels.erasing.whole", lambda low, high, _: high)
    erasing = RandomErasing(probability=1.0, count=2)
    assert erasing.boxes(100, 200, generator()) == [(20, 180, 80, 20), (80, 120, 20, 80)]


def test_boxes_are_of_the_sizes_asked():
    erasing = RandomErasing(probability=1.0, count=3)
    numbers = Counter()
    for seed in range(600):
        boxes = erasing.boxes(60, 80, generator(seed))
        numbers[len(boxes)] += 1
        for top, left, height, width in boxes:
            assert 0 <= top <= 60 - height < 60
            assert 0 <= left <= 80 - width < 80
            assert 0.2 < height / width < 5
            assert 0.015 < height * width * len(boxes) / 4800 < 0.35
    assert set(numbers) == {1, 2, 3}
    assert min(numbers.values()) > 150


@pytest.mark.parametrize("mode", ["pixel", "rand", "const"])
def test_holes_are_the_same_in_all_frames(mode, monkeypatch):
    monkeypatch.setattr(RandomErasing, "boxes", lambda *_: [(2, 3, 20, 24)])
    frames = torch.full((4, 24, 32, 3), 7, dtype=torch.uint8)
    erasing = RandomErasing(probability=1.0, mode=mode, mean=(0.2, 0.4, 0.6), std=(0.1, 0.1, 0.2))
    out = erasing(frames, generator())
    assert (frames == 7).all()
    outside = out.clone()
    outside[:, 2:22, 3:27] = 7
    assert (outside == 7).all()
    hole = out[:, 2:22, 3:27]
    if mode == "const":
        assert set(values(hole)) == {(51, 102, 153)}
    elif mode == "rand":
        assert len(set(values(hole))) == 1
        assert set(values(hole)) != {(51, 102, 153)}
    else:
        assert not torch.equal(hole[0], hole[1])
        assert hole.float().mean(dim=(0, 1, 2)).tolist() == pytest.approx([51, 102, 153], abs=3)
        assert hole.float().std(dim=(0, 1, 2)).tolist() == pytest.approx([25.5, 25.5, 51], rel=0.1)


def test_erasing_happens_with_its_probability():
    frames = noise()
    erasing = RandomErasing(probability=0.3)
    erased = sum(erasing(frames, generator(seed)) is not frames for seed in range(1000))
    assert erased / 1000 == pytest.approx(0.3, abs=0.05)
    assert RandomErasing(probability=0.0)(frames, generator()) is frames
