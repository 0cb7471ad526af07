"""RandAugment: a few operations on colour or shape, drawn for a clip, the same for all its frames.

Source: Cubuk et al., RandAugment (arXiv:1909.13719), with the operations, strengths and notation of
timm as SlowFast uses them for video (datasets/rand_augment.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from glore_video.errors import UsageError
from glore_video.pixels.colours import interleaved, planar
from glore_video.pixels.draws import chance, normal
from glore_video.pixels.warps import Kernel, move_columns, move_rows

Interpolation = Literal["bilinear", "bicubic", "random"]

_GREY = 128  # what comes in from beyond the border
_APPLIED = 0.5  # probability that an operation which was drawn is carried out
_MOST = 10.0  # the greatest magnitude
_NOTATION = (
    "rand-m7-n4-mstd0.5-inc1 is the notation: m magnitude 0 to 10, n operations a clip, mstd standard "
    "deviation of the magnitude, inc1 all operations grow with it, w0 weighted choice"
)
_SECTION = re.compile(r"(m|n|w|mstd|inc)(\d+(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class _Strength:
    """How far an operation goes: level in [0, 10], sign 1 or -1."""

    level: float
    sign: int
    increasing: bool
    kernel: Kernel

    @property
    def share(self) -> float:
        return self.level / _MOST

    @property
    def factor(self) -> float:
        """Of brightness and the like, 1 meaning no change, in 0.1..1.9."""
        if self.increasing:
            return 1 + self.sign * 0.9 * self.share
        return 0.1 + 1.8 * self.share


def _posterize(pictures: Tensor, strength: _Strength) -> Tensor:
    """Keeps the highest bits, 0 to 4 by timm's table; none at all would be black, so one at least."""
    bits = int(4 * strength.share)
    return tvf.posterize(pictures, max(1, 4 - bits if strength.increasing else bits))


def _solarize(pictures: Tensor, strength: _Strength) -> Tensor:
    """Inverts values from a threshold on; tvf.solarize takes ten times as long."""
    threshold = int(256 * strength.share)
    threshold = 256 - threshold if strength.increasing else threshold
    if threshold > 255:  # as a byte it would be 0
        return pictures
    bright = pictures >= threshold
    return bright.to(torch.uint8).mul_(255).bitwise_xor_(pictures)


def _solarize_add(pictures: Tensor, strength: _Strength) -> Tensor:
    """Makes dark values brighter by up to 110."""
    return (pictures < 128).to(torch.uint8).mul_(int(110 * strength.share)).add_(pictures)


def _rotate(pictures: Tensor, strength: _Strength) -> Tensor:
    """By way of PIL, which knows bicubic and takes no longer than tvf does for bilinear."""
    degrees = strength.sign * 30 * strength.share
    resample = Image.Resampling[strength.kernel.upper()]
    out = [
        np.asarray(Image.fromarray(frame).rotate(degrees, resample, fillcolor=(_GREY,) * 3))
        for frame in interleaved(pictures).contiguous().numpy()
    ]
    return planar(torch.from_numpy(np.stack(out)))


def _shear_x(pictures: Tensor, strength: _Strength) -> Tensor:
    slope = strength.sign * 0.3 * strength.share
    shifts = [slope * (row + 0.5) for row in range(pictures.shape[2])]
    return move_rows(pictures, shifts, kernel=strength.kernel, fill=_GREY)


def _shear_y(pictures: Tensor, strength: _Strength) -> Tensor:
    slope = strength.sign * 0.3 * strength.share
    shifts = [slope * (column + 0.5) for column in range(pictures.shape[3])]
    return move_columns(pictures, shifts, kernel=strength.kernel, fill=_GREY)


def _translate_x(pictures: Tensor, strength: _Strength) -> Tensor:
    pixels = strength.sign * 0.45 * strength.share * pictures.shape[3]
    return move_rows(pictures, [pixels], kernel=strength.kernel, fill=_GREY)


def _translate_y(pictures: Tensor, strength: _Strength) -> Tensor:
    pixels = strength.sign * 0.45 * strength.share * pictures.shape[2]
    return move_columns(pictures, [pixels], kernel=strength.kernel, fill=_GREY)


# Each with its weight for the choice under w0, uint8 (frames, 3, height, width) -> the same.
OPERATIONS: dict[str, tuple[Callable[[Tensor, _Strength], Tensor], float]] = {
    "AutoContrast": (lambda pictures, _: tvf.autocontrast(pictures), 0.025),
    "Equalize": (lambda pictures, _: tvf.equalize(pictures), 0.005),
    "Invert": (lambda pictures, _: tvf.invert(pictures), 0.0),
    "Rotate": (_rotate, 0.3),
    "Posterize": (_posterize, 0.0),
    "Solarize": (_solarize, 0.005),
    "SolarizeAdd": (_solarize_add, 0.005),
    "Color": (lambda pictures, s: tvf.adjust_saturation(pictures, s.factor), 0.025),
    "Contrast": (lambda pictures, s: tvf.adjust_contrast(pictures, s.factor), 0.005),
    "Brightness": (lambda pictures, s: tvf.adjust_brightness(pictures, s.factor), 0.005),
    "Sharpness": (lambda pictures, s: tvf.adjust_sharpness(pictures, s.factor), 0.025),
    "ShearX": (_shear_x, 0.2),
    "ShearY": (_shear_y, 0.2),
    "TranslateX": (_translate_x, 0.1),
    "TranslateY": (_translate_y, 0.1),
}


@dataclass(frozen=True, kw_only=True)
class RandAugment:
    """`operations` drawn for each clip, of which each is carried out with probability one half.

    Args:
        magnitude: strength from 0 to 10.
        operations: how many are drawn, with replacement unless weighted.
        magnitude_std: standard deviation of the strength from one operation to the next.
        increasing: posterize, solarize, colour, contrast, brightness and sharpness, too, do more to
            the picture the greater the magnitude is.
        weighted: draw without replacement, mostly rotation, shear and translation.
        interpolation: of rotation, shear and translation; "random": either, for each.
    """

    magnitude: float = 10.0
    operations: int = 2
    magnitude_std: float = 0.0
    increasing: bool = False
    weighted: bool = False
    interpolation: Interpolation = "bicubic"

    @classmethod
    def parse(cls, text: str, *, interpolation: Interpolation = "bicubic") -> RandAugment:
        """From timm's notation, e.g. "rand-m7-n4-mstd0.5-inc1".

        What is not given is m10, n2, mstd0, inc0, no weights. Raises ValueError.
        """
        name, *sections = text.split("-")
        values: dict[str, float] = {}
        for section in sections:
            match = _SECTION.fullmatch(section)
            if match is None or match[1] in values:
                reason = "is not known" if match is None else "comes twice"
                raise UsageError(f"AUG.AA_TYPE = {text!r}: {section!r} {reason}; {_NOTATION}")
            values[match[1]] = float(match[2])
        whole = all(values.get(key, 1) % 1 == 0 for key in ("n", "inc", "w"))
        operations = values.get("n", 2)
        most = sum(weight > 0 for _, weight in OPERATIONS.values()) if "w" in values else operations
        if (
            name != "rand"
            or not whole
            or values.get("m", _MOST) > _MOST
            or not 1 <= operations <= most
            or values.get("inc", 0) > 1
            or values.get("w", 0) > 0
        ):
            raise UsageError(f"AUG.AA_TYPE = {text!r}: {_NOTATION}")
        return cls(
            magnitude=values.get("m", _MOST),
            operations=int(operations),
            magnitude_std=values.get("mstd", 0.0),
            increasing=values.get("inc", 0) == 1,
            weighted="w" in values,
            interpolation=interpolation,
        )

    def __call__(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 (frames, height, width, 3) -> the same shape."""
        pictures = planar(frames)
        for name in self._names(generator):
            if chance(_APPLIED, generator):
                pictures = OPERATIONS[name][0](pictures, self._strength(generator))
        return interleaved(pictures)

    def _names(self, generator: torch.Generator) -> list[str]:
        if self.weighted:
            weights = torch.tensor([weight for _, weight in OPERATIONS.values()])
            drawn = torch.multinomial(weights, self.operations, generator=generator)
        else:
            drawn = torch.randint(len(OPERATIONS), (self.operations,), generator=generator)
        names = list(OPERATIONS)
        return [names[number] for number in drawn.tolist()]

    def _strength(self, generator: torch.Generator) -> _Strength:
        kernel = self.interpolation
        if kernel == "random":
            kernel = "bilinear" if chance(0.5, generator) else "bicubic"
        level = normal(self.magnitude, self.magnitude_std, generator)
        return _Strength(
            level=min(max(level, 0.0), _MOST),
            sign=1 if chance(0.5, generator) else -1,
            increasing=self.increasing,
            kernel=kernel,
        )
