"""Windows and aspect ratios, by hand and by their distribution."""

import math
import re

import pytest
import torch

from glore_video.pixels import crops as augmentation_crops
from glore_video.pixels.crops import (
    random_area_crop,
    random_aspect,
    random_window,
    resize_with_aspect,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


@pytest.mark.parametrize(
    ("height", "width", "aspect", "expected"),
    [
        (240, 320, 1.0, (240, 320)),
        (240, 320, 1.25, (240, 500)),  # 192 x 400, then the shorter side to 240
        (240, 320, 0.8, (281, 240)),  # 300 x 256, whose ratio is 1.171875
        (320, 240, 0.8, (500, 240)),
        (100, 100, 0.5, (960, 240)),
    ],
)
def test_resize_with_aspect(height, width, aspect, expected):
    frames = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    assert resize_with_aspect(frames, 240, aspect).shape == (1, *expected, 3)


def test_random_aspect_is_a_mean_of_two_draws_or_its_reciprocal():
    drawn = torch.tensor([random_aspect(0.5, 1.0, generator(seed)) for seed in range(4000)])
    wide = drawn[drawn > 1]
    assert 0.5 < drawn.min() < 0.53
    assert 1.9 < drawn.max() < 2
    assert len(wide) / 4000 == pytest.approx(0.5, abs=0.04)
    # the mean of two uniform draws from [0.5, 1] is triangular: mean 0.75, variance 0.25 / 24
    narrow = torch.cat([drawn[drawn < 1], 1 / wide])
    assert narrow.mean().item() == pytest.approx(0.75, abs=0.01)
    assert narrow.var().item() == pytest.approx(0.25 / 24, rel=0.1)


@pytest.mark.parametrize(
    ("height", "width", "areas", "aspects", "window"),
    [
        # the whole of a square
        (8, 8, (1.0, 1.0), (1.0, 1.0), (0, 0, 8, 8)),
        # a square of the whole area does not fit into 8 x 18: 8 high, 8 wide, in the middle
        (8, 18, (1.0, 1.0), (1.0, 1.0), (0, 5, 8, 8)),
        (18, 8, (1.0, 1.0), (1.0, 1.0), (5, 0, 8, 8)),
        # nor does one three times as wide as high into a frame of 2 : 1: the whole width of it
        (10, 20, (1.0, 1.0), (3.0, 3.0), (1, 0, 7, 20)),
    ],
)
def test_windows_that_can_be_in_one_place_only(height, width, areas, aspects, window):
    assert random_window(height, width, areas, aspects, generator()) == window


def test_window_falls_back_to_the_whole_frame(monkeypatch):
    monkeypatch.setattr(augmentation_crops, "_TRIES", 0)
    assert random_window(10, 20, (0.1, 0.2), (1.0, 3.0), generator()) == (0, 0, 10, 20)


def test_windows_have_area_aspect_and_places_as_asked():
    drawn = [random_window(60, 80, (0.1, 0.5), (0.5, 2.0), generator(s)) for s in range(3000)]
    shares = torch.tensor([h * w / 4800 for _, _, h, w in drawn])
    ratios = torch.tensor([w / h for _, _, h, w in drawn]).log()
    assert 0.09 < shares.min() < 0.12
    assert 0.46 < shares.max() < 0.52
    assert shares.mean().item() == pytest.approx(0.3, abs=0.02)
    assert ratios.abs().max().item() < math.log(2) + 0.05
    assert ratios.mean().item() == pytest.approx(0, abs=0.03)
    for top, left, height, width in drawn:
        assert 0 <= top <= 60 - height
        assert 0 <= left <= 80 - width
    tops = [top for top, _, height, _ in drawn if height == 30]
    assert (min(tops), max(tops)) == (0, 30)
    assert sum(tops) / len(tops) == pytest.approx(15, abs=3)


def test_area_crop_shows_its_window(monkeypatch):
    monkeypatch.setattr(augmentation_crops, "random_window", lambda *_: (1, 2, 4, 4))
    frames = noise()
    cropped = random_area_crop(frames, 4, (0.1, 1.0), (1.0, 1.0), generator())
    assert torch.equal(cropped, frames[:, 1:5, 2:6])
    halved = random_area_crop(frames, 2, (0.1, 1.0), (1.0, 1.0), generator())
    # bilinear at half the size: the mean of 2 x 2 pixels
    mean = frames[:, 1:5, 2:6].float().view(3, 2, 2, 2, 2, 3).mean(dim=(2, 4))
    assert (halved - mean).abs().max() <= 1


def test_ranges_of_shapes_that_make_no_sense():
    with pytest.raises(ValueError, match=re.escape("0 < lo <= hi, got 1.25 and 0.8")):
        random_aspect(1.25, 0.8, generator())
    with pytest.raises(ValueError, match=re.escape("got (0.5, 1.5)")):
        random_window(8, 8, (0.5, 1.5), (1.0, 1.0), generator())
    with pytest.raises(ValueError, match=re.escape("got (0.0, 1.0)")):
        random_window(8, 8, (0.5, 1.0), (0.0, 1.0), generator())
    with pytest.raises(ValueError, match="short_side must be at least 1, got 0"):
        resize_with_aspect(noise(), 0, 1.0)
