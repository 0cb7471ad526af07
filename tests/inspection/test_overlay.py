import numpy as np
import pytest
import torch

from glore_video.inspection.overlay import blend, diverging, relative, upsample, visible_square
from glore_video.pixels.transforms import centre_crop, resize_short_side


@pytest.mark.parametrize(
    ("height", "width", "short", "crop", "expected"),
    [
        (240, 320, 256, 256, (0, 40, 240)),
        (240, 320, 256, 224, (15, 55, 210)),
        (320, 240, 256, 224, (55, 15, 210)),
        (100, 100, 100, 50, (25, 25, 50)),
        (72, 97, 64, 64, (0, 13, 72)),
    ],
)
def test_visible_square(height, width, short, crop, expected):
    assert visible_square(height, width, short_side=short, crop_size=crop) == expected


def test_the_square_is_what_the_network_sees():
    x = torch.linspace(0, 255, 321).round().to(torch.uint8)
    frames = x.expand(1, 200, 321)[..., None].expand(1, 200, 321, 3).contiguous()
    seen = centre_crop(resize_short_side(frames, 100), 80)[0, :, :, 0]
    top, left, side = visible_square(200, 321, short_side=100, crop_size=80)
    assert (top, side) == (20, 160)
    assert abs(int(seen[0, 0]) - int(x[left])) <= 1
    assert abs(int(seen[0, -1]) - int(x[left + side - 1])) <= 1


def test_upsample():
    maps = torch.tensor([[[[0.0, 4.0]]]])  # (nodes, t, h, w)
    assert upsample(maps, 1, 1, 4)[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert upsample(maps[:, 0], 2, 1, 2).tolist() == [[[[0.0, 4.0]], [[0.0, 4.0]]]]
    with pytest.raises(ValueError, match="maps must be"):
        upsample(torch.zeros(3), 1, 1, 1)


def test_blend_is_clear_at_zero_and_coloured_at_the_ends():
    grey = np.full((1, 3, 3), 100, dtype=np.uint8)
    out = blend(grey, np.array([[0.0, 1.0, -5.0]]))
    assert out.dtype == np.uint8
    assert len(set(out[0, 0].tolist())) == 1  # still grey
    assert out[0, 1, 0] > out[0, 1, 2] + 100  # orange
    assert out[0, 2, 2] > out[0, 2, 0] + 100  # blue
    assert blend(grey, np.array([[np.nan, 0, 0]]))[0, 0].tolist() == out[0, 0].tolist()


def test_diverging():
    assert diverging(np.array([0.0])).tolist() == [[255, 255, 255]]
    assert diverging(np.array([1.0, 9.0])).tolist() == [[235, 112, 18]] * 2


def test_relative():
    maps = torch.tensor([[[[5.0, 5.0, 5.0, 9.0, 3.0]]], [[[2.0, 2.0, 2.0, 2.0, 2.0]]]])
    out = relative(maps)
    # The median, 5, becomes 0; the scale is between the two greatest distances, 2 and 4.
    assert out[0, 0, 0, :3].tolist() == [0, 0, 0]
    assert out[0, 0, 0, 3] == 1
    assert out[0, 0, 0, 4] == pytest.approx(-2 / 3.96)
    assert not out[1].any()
