"""Random erasing: rectangles of a clip, the same in all its frames, are overwritten.

Source: Zhong et al., Random Erasing Data Augmentation (arXiv:1708.04896), with SlowFast's sizes and
fillings (datasets/random_erasing.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from glore_video.pixels.draws import chance, uniform, whole

ErasingMode = Literal["pixel", "rand", "const"]

_AREAS = (0.02, 1 / 3)  # of all rectangles of a clip together, as a share of the frame's
_ASPECT = math.log(1 / 0.3)  # the logarithm of height / width is within it
_TRIES = 100


@dataclass(frozen=True, kw_only=True)
class RandomErasing:
    """Overwrites up to `count` rectangles with noise or the mean colour.

    It works on uint8 frames with mean + std * noise, rounded and clipped to 0..255, where SlowFast
    puts the noise into clips that are normalised already. With its mean 0.45 and std 0.225 that
    changes one value in twenty, those more than two standard deviations off.

    Args:
        probability: of a clip to lose anything.
        mode: "pixel": normal noise, another for each value of each pixel and frame. "rand": one
            colour of normal noise for a rectangle, in all frames. "const": the mean colour.
        count: rectangles at most; how many is drawn evenly from 1 to count.
        mean, std: of R, G, B in units in which white is 1, those that clips are normalised with.
    """

    probability: float
    mode: ErasingMode = "pixel"
    count: int = 1
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    std: tuple[float, float, float] = (0.225, 0.225, 0.225)

    def __call__(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 (frames, height, width, 3) -> a copy with holes, or the same tensor."""
        if not chance(self.probability, generator):
            return frames
        frames = frames.clone()
        rows, columns = frames.shape[1:3]
        for top, left, height, width in self.boxes(rows, columns, generator):
            hole = frames[:, top : top + height, left : left + width]
            hole.copy_(self._filling(hole.shape, generator))
        return frames

    def boxes(
        self, height: int, width: int, generator: torch.Generator
    ) -> list[tuple[int, int, int, int]]:
        """Rectangles to erase, each (top, left, height, width); smaller than the frame."""
        count = whole(1, self.count, generator)
        boxes = []
        for _ in range(count):
            for _ in range(_TRIES):
                area = uniform(*_AREAS, generator) * height * width / count
                aspect = math.exp(uniform(-_ASPECT, _ASPECT, generator))
                rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
                if 0 < rows < height and 0 < columns < width:
                    top = whole(0, height - rows, generator)
                    boxes.append((top, whole(0, width - columns, generator), rows, columns))
                    break
        return boxes

    def _filling(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """uint8, of this (frames, height, width, 3) or broadcast to it."""
        size = {"pixel": tuple(shape), "rand": (3,), "const": (3,)}[self.mode]
        colours = torch.zeros(size)
        if self.mode != "const":
            colours = torch.randn(size, generator=generator)
        colours = colours * torch.tensor(self.std) + torch.tensor(self.mean)
        return colours.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
