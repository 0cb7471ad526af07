"""Augmentation of training clips: by hand on tiny frames, and against other implementations."""

import colorsys
import math
import re
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from glore_video.video import augmentation_crops, augmentation_rand, transforms
from glore_video.video.augmentation import Augmentation, Framing
from glore_video.video.augmentation_colours import (
    colour_jitter,
    hls_jitter,
    pixel_jitter,
    shift_hls,
)
from glore_video.video.augmentation_crops import (
    random_area_crop,
    random_aspect,
    random_window,
    resize_with_aspect,
)
from glore_video.video.augmentation_erasing import RandomErasing
from glore_video.video.augmentation_rand import OPERATIONS, RandAugment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


def still(height=24, width=32, frames=3, seed=0):
    """The same noise in all frames."""
    return noise(height, width, 1, seed).expand(frames, -1, -1, -1)


def pixels(*colours):
    """One frame of one row."""
    return torch.tensor(colours, dtype=torch.uint8).view(1, 1, -1, 3)


def values(frames):
    return [tuple(pixel) for pixel in frames.reshape(-1, 3).tolist()]


# Shapes


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


# Hue, lightness, saturation


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
        "glore_video.video.augmentation_colours.shift_hls",
        lambda frames, *shifts: drawn.append(shifts) or frames,
    )
    for seed in range(600):
        hls_jitter(noise(), (3, 35, 0), generator(seed))
    hues, lightness, saturation = (set(column) for column in zip(*drawn, strict=True))
    assert hues == {-2, -1, 0, 1, 2}  # int() cuts towards 0, as the GloRe repository does
    assert lightness <= set(range(-34, 35))
    assert len(lightness) > 60
    assert saturation == {0}


# Other colours


def test_colour_jitter_by_hand(monkeypatch):
    order = torch.tensor([0, 2, 1])  # brightness, saturation, contrast
    factors = iter([0.5, 2.0, 1.0])
    asked = []

    def uniform(low, high, generator):
        asked.append((low, high))
        return next(factors)

    monkeypatch.setattr(torch, "randperm", lambda *_, **__: order)
    monkeypatch.setattr("glore_video.video.augmentation_colours.uniform", uniform)
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


# Erasing


def test_boxes_by_hand(monkeypatch):
    # area 0.16 of 100 x 200, half of it a box: 1600 pixels; height / width 4 -> 80 x 20, 1/4 -> 20 x 80
    draws = iter([0.16, math.log(4), 0.16, math.log(1 / 4)])
    monkeypatch.setattr("glore_video.video.augmentation_erasing.uniform", lambda *_: next(draws))
    monkeypatch.setattr("glore_video.video.augmentation_erasing.whole", lambda low, high, _: high)
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


# RandAugment


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("rand", (10, 2, 0, False, False)),
        ("rand-m7-n4-mstd0.5-inc1", (7, 4, 0.5, True, False)),
        ("rand-m9-mstd0.5-inc1", (9, 2, 0.5, True, False)),
        ("rand-inc0-n1", (10, 1, 0, False, False)),
        ("rand-mstd1-w0-m0", (0, 2, 1, False, True)),
        ("rand-m6.5", (6.5, 2, 0, False, False)),
    ],
)
def test_notation(text, settings):
    names = ("magnitude", "operations", "magnitude_std", "increasing", "weighted")
    expected = RandAugment(**dict(zip(names, settings, strict=True)), interpolation="bilinear")
    assert RandAugment.parse(text, interpolation="bilinear") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "AUG.AA_TYPE = '': rand-m7-n4-mstd0.5-inc1 is the notation"),
        ("augmix-m3", "AUG.AA_TYPE = 'augmix-m3': rand-m7"),
        ("rand-x3", "AUG.AA_TYPE = 'rand-x3': 'x3' is not known; rand-m7"),
        ("rand-m", "'m' is not known"),
        ("rand-m7-m8", "'m8' comes twice"),
        ("rand-m-7", "'m' is not known"),
        ("rand m7", "AUG.AA_TYPE = 'rand m7': rand-m7"),
        ("rand-", "'' is not known"),
        ("rand-m11", "m magnitude 0 to 10"),
        ("rand-n0", "AUG.AA_TYPE = 'rand-n0'"),
        ("rand-n1.5", "AUG.AA_TYPE = 'rand-n1.5'"),
        ("rand-inc2", "AUG.AA_TYPE = 'rand-inc2'"),
        ("rand-w1", "AUG.AA_TYPE = 'rand-w1'"),
        ("rand-w0-n14", "AUG.AA_TYPE = 'rand-w0-n14'"),  # 13 operations have a weight
        ("rand-mstdnan", "'mstdnan' is not known"),
    ],
)
def test_notation_that_is_none(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RandAugment.parse(text)


def affine(*matrix):
    return lambda image: image.transform(
        image.size,
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.BICUBIC,
        fillcolor=(128, 128, 128),
    )


def rotated(degrees):
    return lambda image: image.rotate(
        degrees, resample=Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)
    )


def enhanced(kind, factor):
    return lambda image: kind(image).enhance(factor)


def brighter(add):
    """Values below 128 plus add."""
    return lambda image: image.point([v + add if v < 128 else v for v in range(256)] * 3)


# What timm's tables say for a picture of 32 x 24 at this level, upwards of zero and below it.
# Operations that PIL knows are PIL's.
BY_PIL = [
    ("AutoContrast", 5, True, ImageOps.autocontrast, ImageOps.autocontrast),
    ("Equalize", 5, True, ImageOps.equalize, ImageOps.equalize),
    ("Invert", 5, True, ImageOps.invert, ImageOps.invert),
    ("Rotate", 5, True, rotated(15), rotated(-15)),
    ("Posterize", 7.5, False, *[lambda image: ImageOps.posterize(image, 3)] * 2),
    ("Posterize", 7.5, True, *[lambda image: ImageOps.posterize(image, 1)] * 2),
    ("Posterize", 10, True, *[lambda image: ImageOps.posterize(image, 1)] * 2),
    ("Posterize", 0, False, *[lambda image: ImageOps.posterize(image, 1)] * 2),
    ("Posterize", 0, True, *[lambda image: ImageOps.posterize(image, 4)] * 2),
    ("Solarize", 5, False, *[lambda image: ImageOps.solarize(image, 128)] * 2),
    ("Solarize", 7.5, True, *[lambda image: ImageOps.solarize(image, 64)] * 2),
    ("Solarize", 0, False, ImageOps.invert, ImageOps.invert),
    ("Solarize", 10, False, Image.Image.copy, Image.Image.copy),
    ("Solarize", 0, True, Image.Image.copy, Image.Image.copy),
    ("SolarizeAdd", 5, True, brighter(55), brighter(55)),
    ("SolarizeAdd", 10, False, brighter(110), brighter(110)),
    ("Color", 5, False, *[enhanced(ImageEnhance.Color, 1.0)] * 2),
    ("Color", 5, True, enhanced(ImageEnhance.Color, 1.45), enhanced(ImageEnhance.Color, 0.55)),
    ("Contrast", 10, False, *[enhanced(ImageEnhance.Contrast, 1.9)] * 2),
    (
        *("Contrast", 10, True),
        *(enhanced(ImageEnhance.Contrast, 1.9), enhanced(ImageEnhance.Contrast, 0.1)),
    ),
    ("Brightness", 0, False, *[enhanced(ImageEnhance.Brightness, 0.1)] * 2),
    ("Brightness", 0, True, *[enhanced(ImageEnhance.Brightness, 1.0)] * 2),
    ("Sharpness", 10, False, *[enhanced(ImageEnhance.Sharpness, 1.9)] * 2),
    (
        *("Sharpness", 5, True),
        *(enhanced(ImageEnhance.Sharpness, 1.45), enhanced(ImageEnhance.Sharpness, 0.55)),
    ),
    ("ShearX", 10, True, affine(1, 0.3, 0, 0, 1, 0), affine(1, -0.3, 0, 0, 1, 0)),
    ("ShearY", 5, True, affine(1, 0, 0, 0.15, 1, 0), affine(1, 0, 0, -0.15, 1, 0)),
    ("TranslateX", 10, True, affine(1, 0, 14.4, 0, 1, 0), affine(1, 0, -14.4, 0, 1, 0)),
    ("TranslateY", 5, True, affine(1, 0, 0, 0, 1, 5.4), affine(1, 0, 0, 0, 1, -5.4)),
]


@pytest.mark.parametrize(("name", "level", "increasing", "up", "down"), BY_PIL)
def test_operations_against_pil(name, level, increasing, up, down):
    frames = noise(24, 32, 2) // 2 + 40  # not of full contrast
    for sign, expected in ((1, up), (-1, down)):
        strength = augmentation_rand._Strength(
            level=level,
            sign=sign,
            increasing=increasing,
            kernel="bicubic",
        )
        out = OPERATIONS[name][0](frames.permute(0, 3, 1, 2).contiguous(), strength)
        assert out.dtype == torch.uint8
        by_pil = np.stack([np.asarray(expected(Image.fromarray(f.numpy()))) for f in frames])
        difference = out.permute(0, 2, 3, 1).numpy().astype(int) - by_pil
        assert np.abs(difference).max() <= 1


@pytest.mark.slow
def test_operations_against_timm(monkeypatch):
    timm = pytest.importorskip("timm.data.auto_augment")
    frames = noise(24, 32, 1)
    for name, (operation, _) in OPERATIONS.items():
        for increasing in (False, True):
            theirs = name + ("Rel" if name.startswith("Translate") else "")
            if increasing:
                theirs = {n[:-10]: n for n in timm.NAME_TO_OP if n.endswith("Increasing")}.get(
                    name, theirs
                )
            for level in (0, 2.3, 5, 9.7, 10):
                for sign in (1, -1):
                    monkeypatch.setattr(timm, "_randomly_negate", lambda v, sign=sign: sign * v)
                    level_of = timm.LEVEL_TO_ARG[theirs]
                    arguments = level_of(level, {}) if level_of else ()
                    if name == "Posterize":
                        arguments = (max(1, *arguments),)
                    expected = timm.NAME_TO_OP[theirs](
                        Image.fromarray(frames[0].numpy()),
                        *arguments,
                        fillcolor=(128, 128, 128),
                        resample=Image.Resampling.BILINEAR,
                    )
                    strength = augmentation_rand._Strength(
                        level=level,
                        sign=sign,
                        increasing=increasing,
                        kernel="bilinear",
                    )
                    out = operation(frames.permute(0, 3, 1, 2).contiguous(), strength)
                    difference = out[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(expected)
                    assert np.abs(difference).max() <= 1, (theirs, level, sign)


def recorded(monkeypatch):
    """What operations are carried out: (name, strength) each."""
    done = []

    def of(name):
        return lambda pictures, strength: done.append((name, strength)) or pictures

    monkeypatch.setattr(
        augmentation_rand,
        "OPERATIONS",
        {name: (of(name), weight) for name, (_, weight) in OPERATIONS.items()},
    )
    return done


def test_operations_are_drawn_evenly_and_carried_out_half_of_the_time(monkeypatch):
    done = recorded(monkeypatch)
    augment = RandAugment(magnitude=7, operations=4, magnitude_std=0.5)
    for seed in range(1500):
        augment(noise(2, 2, 1), generator(seed))
    assert len(done) == pytest.approx(3000, abs=150)
    counts = Counter(name for name, _ in done)
    assert set(counts) == set(OPERATIONS)
    assert all(140 < count < 260 for count in counts.values())
    levels = torch.tensor([strength.level for _, strength in done])
    assert levels.mean().item() == pytest.approx(7, abs=0.05)
    assert levels.std().item() == pytest.approx(0.5, abs=0.03)
    assert sum(strength.sign for _, strength in done) == pytest.approx(0, abs=220)


def test_weighted_operations_differ_from_one_another(monkeypatch):
    done = recorded(monkeypatch)
    monkeypatch.setattr(augmentation_rand, "_APPLIED", 1.0)
    counts = Counter()
    for seed in range(400):
        RandAugment(operations=3, weighted=True)(noise(2, 2, 1), generator(seed))
        names = [name for name, _ in done]
        assert len(set(names)) == 3
        counts.update(names)
        done.clear()
    assert counts["Rotate"] > counts["ShearX"] > counts["Color"] > counts["Equalize"]
    assert not {"Invert", "Posterize"} & set(counts)


def test_magnitudes_are_clipped(monkeypatch):
    done = recorded(monkeypatch)
    for seed in range(100):
        RandAugment(magnitude=9, magnitude_std=3)(noise(2, 2, 1), generator(seed))
    levels = [strength.level for _, strength in done]
    assert max(levels) == 10
    assert min(levels) < 6


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "random"])
def test_interpolation(monkeypatch, interpolation):
    done = recorded(monkeypatch)
    for seed in range(30):
        RandAugment(interpolation=interpolation)(noise(2, 2, 1), generator(seed))
    used = {strength.kernel for _, strength in done}
    assert used == ({"bilinear", "bicubic"} if interpolation == "random" else {interpolation})


# Everything together

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
