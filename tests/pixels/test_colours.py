"""Shifts of colour: by hand, and against colorsys and OpenCV."""

import colorsys

import numpy as np
import pytest
import torch

from glore_video.pixels.colours import (
    colour_jitter,
    hls_jitter,
    pixel_jitter,
    shift_hls,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


def pixels(*colours):
    """One frame of one row."""
    return torch.tensor(colours, dtype=torch.uint8).view(1, 1, -1, 3)


def values(frames):
    return [tuple(pixel) for pixel in frames.reshape(-1, 3).tolist()]


@pytest.mark.parametrize(
    ("colour", "shift", "expected"),
    [
        ((255, 0, 0), (60, 0, 0), (0, 255, 0)),  # 120 degrees from red
        ((255, 0, 0), (30, 0, 0), (255, 255, 0)),
        ((0, 255, 0), (60, 0, 0), (0, 0, 255)),
        ((0, 0, 255), (90, 0, 0), (255, 0, 0)),  # from 240 degrees to 360 at most: no wrap
        ((255, 0, 0), (-20, 0, 0), (255, 0, 0)),
        ((100, 100, 100), (0, 20, 0), (120, 120, 120)),
        ((250, 250, 250), (0, 20, 0), (255, 255, 255)),
        ((5, 5, 5), (0, -20, 0), (0, 0, 0)),
        # grey has hue 0: it turns red, lightness 100 and saturation 51 / 255 = 0.2
        ((100, 100, 100), (0, 0, 51), (120, 80, 80)),
        ((120, 80, 80), (0, 0, -255), (100, 100, 100)),
        ((0, 0, 0), (40, 0, 100), (0, 0, 0)),
        ((255, 255, 255), (40, 0, 100), (255, 255, 255)),
    ],
)
def test_hls_by_hand(colour, shift, expected):
    assert values(shift_hls(pixels(colour), *shift)) == [expected]


@pytest.mark.parametrize("shift", [(7, -20, 13), (-15, 35, -25), (0, 0, 25), (180, 255, 255)])
def test_hls_against_colorsys(shift):
    frames = noise(8, 8, 2)
    hue, lightness, saturation = shift[0] / 180, shift[1] / 255, shift[2] / 255

    def shifted(pixel):
        h, l, s = colorsys.rgb_to_hls(*(value / 255 for value in pixel))  # noqa: E741
        moved = [h + hue, l + lightness, s + saturation]
        return [255 * value for value in colorsys.hls_to_rgb(*np.clip(moved, 0, 1))]

    expected = np.array([shifted(pixel) for pixel in values(frames)])
    assert np.abs(np.array(values(shift_hls(frames, *shift))) - expected).max() <= 0.51


def test_hls_against_opencv():
    cv2 = pytest.importorskip("cv2", reason="OpenCV is what the GloRe repository uses")
    frames = noise(32, 32, 1)
    hls = cv2.cvtColor(frames[0].numpy(), cv2.COLOR_RGB2HLS).astype(int)
    hls = np.clip(hls + np.array([9, -20, 15]), 0, [180, 255, 255]).astype(np.uint8)
    expected = cv2.cvtColor(hls, cv2.COLOR_HLS2RGB).astype(int)
    difference = np.abs(shift_hls(frames, 9, -20, 15)[0].numpy() - expected)
    # OpenCV rounds hue to 2 degrees, which is up to 4 grey levels of a pure colour
    assert difference.mean() < 1.2
    assert difference.max() <= 8


def test_hls_jitter_draws_whole_numbers_within_its_ranges(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "glore_video.pixels.colours.shift_hls",
        lambda frames, *shifts: drawn.append(shifts) or frames,
    )
    for seed in range(600):
        hls_jitter(noise(), (3, 35, 0), generator(seed))
    hues, lightness, saturation = (set(column) for column in zip(*drawn, strict=True))
    assert hues == {-2, -1, 0, 1, 2}  # int() cuts towards 0, as the GloRe repository does
    assert lightness <= set(range(-34, 35))
    assert len(lightness) > 60
    assert saturation == {0}


def test_colour_jitter_by_hand(monkeypatch):
    order = torch.tensor([0, 2, 1])  # brightness, saturation, contrast
    factors = iter([0.5, 2.0, 1.0])
    asked = []

    def uniform(low, high, generator):
        asked.append((low, high))
        return next(factors)

    monkeypatch.setattr(torch, "randperm", lambda *_, **__: order)
    monkeypatch.setattr("glore_video.pixels.colours.uniform", uniform)
    # halved: 100, 50, 20, whose grey is 0.299 * 100 + 0.587 * 50 + 0.114 * 20 = 61.5;
    # twice the distance from it
    assert values(colour_jitter(pixels((200, 100, 40)), 0.4, generator())) == [(139, 39, 0)]
    assert asked == [(0.6, 1.4)] * 3


def test_colour_jitter_never_turns_negative():
    frames = pixels((200, 100, 40), (20, 100, 250))
    for seed in range(20):
        assert colour_jitter(frames, 3.0, generator(seed)).shape == frames.shape


def test_pixel_jitter_stays_between_its_bounds():
    frames = torch.full((2, 40, 40, 3), 100, dtype=torch.uint8)
    lows, highs = [], []
    for seed in range(40):
        out = pixel_jitter(frames, (-20, 10), generator(seed)).int() - 100
        assert not torch.equal(out[0], out[1])  # noise of its own for each frame
        lows.append(out.min().item())
        highs.append(out.max().item())
        middle = (lows[-1] + highs[-1]) / 2
        assert out.float().mean().item() == pytest.approx(middle, abs=1)
    assert -20 <= min(lows) < -18
    assert 9 <= max(highs) <= 10
    assert max(lows) > -4


def test_pixel_jitter_is_clipped():
    frames = pixels(*[(0, 255, 128)] * 500)
    out = pixel_jitter(frames, (-20, 20), generator(3)).view(-1, 3)
    assert out[:, 0].max() <= 20
    assert out[:, 1].min() >= 235
