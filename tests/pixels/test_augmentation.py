"""From frames to a training clip: the order of things, and the same for all frames."""

from dataclasses import replace

import pytest
import torch

from glore_video.pixels import transforms
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.colours import hls_jitter
from glore_video.pixels.crops import random_window
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.rand_augment import RandAugment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


def still(height=24, width=32, frames=3, seed=0):
    """The same noise in all frames."""
    return noise(height, width, 1, seed).expand(frames, -1, -1, -1)


FRAMING = Framing(short_sides=(20, 28), crop_size=16, flip=True)
EVERYTHING = Augmentation(
    rand_augment=RandAugment(operations=4, magnitude=8, increasing=True, magnitude_std=0.5),
    colour_jitter=0.4,
    hls_ranges=(15, 35, 25),
    erasing=RandomErasing(probability=0.7, mode="rand", count=2),
)


def run(augmentation, frames, framing=FRAMING, seed=0, colours=1, number=0):
    return augmentation(
        frames,
        framing,
        generator=generator(seed),
        colours=generator(colours),
        number=number,
    )


def test_nothing_beside_framing_is_scale_crop_and_flip():
    for seed in range(6):
        draws = generator(seed)
        side = transforms.random_short_side(20, 28, float(torch.rand((), generator=draws)))
        expected = transforms.resize_short_side(noise(), side)
        expected = transforms.random_crop(expected, 16, draws)
        if int(torch.randint(2, (), generator=draws)):
            expected = expected.flip(2)
        assert torch.equal(run(Augmentation(), noise(), seed=seed), expected)


@pytest.mark.parametrize(
    "framing",
    [
        FRAMING,
        Framing(short_sides=(20, 28), crop_size=16, flip=True, aspects=(0.8, 1.25)),
        Framing(short_sides=(20, 28), crop_size=16, flip=True, areas=(0.1, 1.0)),
    ],
    ids=["short side", "aspect", "area"],
)
@pytest.mark.parametrize("on_crop", [False, True])
def test_all_frames_are_treated_alike(framing, on_crop):
    augmentation = Augmentation(
        rand_augment=EVERYTHING.rand_augment,
        rand_augment_on_crop=on_crop,
        colour_jitter=0.4,
        hls_ranges=(15, 35, 25),
        erasing=EVERYTHING.erasing,
    )
    frames = still()
    before = frames.clone()
    seen = set()
    for seed in range(8):
        clip = run(augmentation, frames, framing, seed=seed, colours=seed + 100)
        assert clip.shape == (3, 16, 16, 3)
        assert clip.dtype == torch.uint8
        assert torch.equal(clip[0], clip[1])
        assert torch.equal(clip[0], clip[2])
        again = run(augmentation, frames, framing, seed=seed, colours=seed + 100)
        assert torch.equal(clip, again)
        seen.add(tuple(clip[0].flatten().tolist()))
    assert torch.equal(frames, before)
    assert len(seen) == 8


def test_crop_and_mirror_stay_whatever_else_is_on():
    plain = run(Augmentation(), noise(), seed=4)
    hls = run(Augmentation(hls_ranges=(15, 35, 25)), noise(), seed=4, colours=6)
    shifts = generator(6)
    expected = hls_jitter(plain, (15, 35, 25), shifts)
    assert torch.equal(hls, expected)
    assert not torch.equal(hls, plain)


@pytest.mark.parametrize("on_crop", [False, True])
def test_where_rand_augment_works(monkeypatch, on_crop):
    shapes = []
    monkeypatch.setattr(
        RandAugment, "__call__", lambda self, frames, _: shapes.append(frames.shape[1:3]) or frames
    )
    augmentation = Augmentation(rand_augment=RandAugment(), rand_augment_on_crop=on_crop)
    run(augmentation, noise(24, 32), Framing(short_sides=(20, 20), crop_size=16, flip=False))
    area = Framing(short_sides=(20, 28), crop_size=16, flip=False, areas=(0.3, 0.5))
    run(augmentation, noise(24, 32), area)
    run(augmentation, noise(18, 32), area)  # never made larger
    whole = [(20, 26), (20, 26), (18, 32)]
    assert shapes == ([(16, 16)] * 3 if on_crop else whole)


def test_the_first_clip_of_a_video_may_be_spared():
    augmentation = Augmentation(
        erasing=RandomErasing(probability=1.0, mode="const"), spare_first=True
    )
    plain = run(Augmentation(), noise())
    assert torch.equal(run(augmentation, noise(), number=0), plain)
    assert not torch.equal(run(augmentation, noise(), number=1), plain)


def test_area_framing_ignores_short_sides():
    frames = noise()
    framing = Framing(
        short_sides=(400, 500), crop_size=16, flip=False, areas=(0.25, 0.25), area_aspects=(1, 1)
    )
    # a quarter of 24 x 32 pixels as a square: 14 x 14
    top, left, height, width = random_window(24, 32, (0.25, 0.25), (1, 1), generator(5))
    assert (height, width) == (14, 14)
    expected = transforms.resize(frames[:, top : top + 14, left : left + 14], 16, 16)
    assert torch.equal(run(Augmentation(), frames, framing, seed=5), expected)


@pytest.mark.parametrize("on_crop", [False, True])
def test_how_frames_are_scaled(monkeypatch, on_crop):
    """Whole frames as they are and then the window, or the window at once: antialiased either way."""
    monkeypatch.setattr(RandAugment, "__call__", lambda self, frames, _: frames)
    frames = noise()
    augmentation = Augmentation(rand_augment=RandAugment(), rand_augment_on_crop=on_crop)
    how = {"interpolation": "bicubic", "antialias": True}
    framing = Framing(
        short_sides=(400, 500), crop_size=8, flip=False, areas=(0.25, 0.25), area_aspects=(1, 1)
    )
    top, left, *_ = random_window(24, 32, (0.25, 0.25), (1, 1), generator(5))
    window = frames[:, top : top + 14, left : left + 14]
    expected = transforms.resize(window, 8, 8, **how)
    assert not torch.equal(expected, transforms.resize(window, 8, 8))
    assert torch.equal(run(augmentation, frames, replace(framing, **how), seed=5), expected)


def test_how_whole_frames_are_scaled():
    frames = noise()
    framing = Framing(
        short_sides=(16, 16), crop_size=16, flip=False, interpolation="bicubic", antialias=True
    )
    scaled = transforms.resize_short_side(frames, 16, interpolation="bicubic", antialias=True)
    shown = run(Augmentation(), frames, framing, seed=5)
    lefts = [left for left in range(6) if torch.equal(shown, scaled[:, :, left : left + 16])]
    assert len(lefts) == 1


@pytest.mark.parametrize("on_crop", [False, True])
@pytest.mark.parametrize("areas", [None, (0.3, 0.9)])
def test_a_picture_is_one_frame(areas, on_crop):
    """What a clip of equal frames becomes, each of its frames becomes alone."""
    augmentation = replace(EVERYTHING, rand_augment_on_crop=on_crop)
    framing = replace(FRAMING, areas=areas, interpolation="bicubic", antialias=True)
    for seed in range(5):
        clip = run(augmentation, still(frames=3), framing, seed=seed, colours=seed + 50)
        picture = run(augmentation, still(frames=1), framing, seed=seed, colours=seed + 50)
        assert picture.shape == (1, 16, 16, 3)
        assert torch.equal(clip, picture.expand(3, -1, -1, -1))


def test_one_draw_serves_picture_and_mask():
    mask = noise(40, 50, frames=1)
    square = transforms.random_square(40, 50, 16, generator(3))
    assert torch.equal(
        transforms.crop(mask, *square), transforms.random_crop(mask, 16, generator(3))
    )
