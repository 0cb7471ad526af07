"""Crops of pictures and masks: one draw for both, nothing shifted, what lies beyond is ignored."""

import numpy as np
import pytest
import torch
from PIL import Image

from glore_video.errors import UsageError
from glore_video.pixels.masked_crops import MaskedCrops, scaled_part


def crops(framing, picture, mask, seed=0):
    draws = torch.Generator().manual_seed(seed)
    colours = torch.Generator().manual_seed(seed)
    return framing(picture, mask, generator=draws, colours=colours)


def ramp(height=80, width=100):
    """Red and green are twice the column and the row, which the masks hold as they are."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    picture = torch.from_numpy(np.stack([2 * columns, 2 * rows, 0 * rows], axis=2))[None]
    return picture, torch.from_numpy(columns), torch.from_numpy(rows)


@pytest.mark.parametrize("scale", [0.55, 0.73, 1.0, 1.37, 2.0])
def test_a_mask_is_not_shifted_against_its_picture(scale):
    picture, columns, rows = ramp()
    framing = MaskedCrops(crop_size=(30, 40), scales=(scale, scale))
    for seed in range(4):
        crop, along = crops(framing, picture, columns, seed)
        _, down = crops(framing, picture, rows, seed)
        for channel, mask in ((0, along), (1, down)):
            apart = crop[0, ..., channel].double() / 2 - mask.double()
            assert apart.abs().max() <= 0.5 + 0.5  # half a pixel, and the edges' half kernels
            assert abs(float(apart.mean())) < 0.3  # rounding of up to half a grey level
        assert crop.shape == (1, 30, 40, 3)
        assert crop.dtype == along.dtype == torch.uint8


@pytest.mark.parametrize("size", [(160, 200), (40, 50), (57, 93)])
def test_a_part_is_what_the_whole_would_show(size):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 100, 3)).astype(np.uint8)
    whole = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR)
    part = scaled_part(torch.from_numpy(pixels), size, (7, 11, 20, 30))
    expected = torch.from_numpy(np.array(whole))[7:27, 11:41]
    assert (part.int() - expected.int()).abs().max() <= 1
    grey = pixels[..., 0].copy()
    whole = Image.fromarray(grey).resize(size[::-1], Image.Resampling.NEAREST)
    part = scaled_part(torch.from_numpy(grey), size, (7, 11, 20, 30))
    assert (part.numpy() != np.array(whole)[7:27, 11:41]).mean() < 0.02  # ties of rounding


def test_what_lies_beyond_is_filled_and_ignored():
    picture, columns, _ = ramp()
    framing = MaskedCrops(
        crop_size=(100, 45), scales=(0.5, 0.5), flip=False, fill=(1, 2, 3), colour_jitter=0.5
    )
    crop, mask = crops(framing, picture, columns)
    assert (mask[40:] == 255).all()
    assert (mask[:40] != 255).all()
    assert (crop[0, 40:] == torch.tensor([1, 2, 3], dtype=torch.uint8)).all()


def test_draws():
    picture, columns, _ = ramp()
    framing = MaskedCrops(crop_size=(32, 48), colour_jitter=0.4)
    first, again = crops(framing, picture, columns, 5), crops(framing, picture, columns, 5)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    mirrored, spans = 0, set()
    for seed in range(60):
        _, mask = crops(framing, picture, columns, seed)
        row = mask[0][mask[0] != 255].int()
        mirrored += bool(row[0] > row[-1])
        spans.add(int((row[0] - row[-1]).abs()))
    assert 18 <= mirrored <= 42
    assert min(spans) < 30  # scaled to twice the size
    assert max(spans) > 70  # scaled to less than 0.7


def test_colours_are_jittered_on_the_picture_alone():
    picture, columns, _ = ramp()
    plain = crops(MaskedCrops(crop_size=(32, 48)), picture, columns)
    jittered = crops(MaskedCrops(crop_size=(32, 48), colour_jitter=0.4), picture, columns)
    assert torch.equal(plain[1], jittered[1])
    assert not torch.equal(plain[0], jittered[0])


def test_a_pixel_is_a_picture_too():
    crop, mask = crops(
        MaskedCrops(crop_size=(2, 2), scales=(0.1, 0.1)),
        torch.full((1, 1, 1, 3), 7, dtype=torch.uint8),
        torch.zeros((1, 1), dtype=torch.uint8),
    )
    assert sorted(mask.flatten().tolist()) == [0, 255, 255, 255]
    assert crop.sum() == 21


def test_what_can_not_be():
    with pytest.raises(UsageError, match=r"at least 1x1 pixels, got \(0, 5\)"):
        MaskedCrops(crop_size=(0, 5))
    with pytest.raises(UsageError, match="0 < lo <= hi, got"):
        MaskedCrops(crop_size=(5, 5), scales=(2.0, 0.5))
    picture, columns, _ = ramp()
    with pytest.raises(UsageError, match="has no mask of shape"):
        crops(MaskedCrops(crop_size=(5, 5)), picture, columns[1:])
