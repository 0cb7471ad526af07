"""RandAugment: its notation, its operations against PIL's and timm's, and its draws."""

import re
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from glore_video.pixels import rand_augment as augmentation_rand
from glore_video.pixels.rand_augment import OPERATIONS, RandAugment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height=24, width=32, frames=3, seed=0):
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


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
