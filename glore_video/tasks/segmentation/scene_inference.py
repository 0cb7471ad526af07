"""Class probabilities of all pixels of a picture: whole or in sliding windows, scales, mirror images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.pixels.transforms import Interpolation, resize, short_side_size
from glore_video.tasks.segmentation.objective import main_output
from glore_video.tasks.segmentation.placed_logits import PlacedLogits, class_map, mean_logits

Forward = Callable[[Tensor], Any]
"""uint8 (n, 3, height, width) -> logits (n, classes, height, width), or a mapping with them as "out"."""
_LONGEST = 16  # short sides that the longer one may have where pictures are scaled by them


@dataclass(frozen=True, kw_only=True)
class SceneInference:
    """How a picture is looked at: the mean of the probabilities of all scales and mirror images.

    Attributes:
        scales: factors of the picture's height and width.
        flip: mirror images too.
        window: height and width of sliding windows, pixels; empty: the picture is looked at whole. A
            picture that is no larger than a window is one.
        stride: of windows, a share of their size; neighbours overlap where it is below 1. Logits of
            overlapping windows are averaged.
        short_side: pixels that a picture's shorter side is scaled to, before the factors; 0: none.
        interpolation: of scaling pictures, antialiased.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    window: tuple[int, ...] = ()
    stride: float = 2 / 3
    short_side: int = 0
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not self.scales or not all(math.isfinite(each) and each > 0 for each in self.scales):
            raise UsageError(f"scales must be above 0, one at least, got {self.scales}")
        if len(self.window) not in (0, 2) or min(self.window, default=1) < 1:
            raise UsageError(f"window must be height and width in pixels, got {self.window}")
        if not 0 < self.stride <= 1:
            raise UsageError(f"stride must be above 0 and at most 1, got {self.stride}")

    @property
    def words(self) -> str:
        """ "whole pictures, 3 scales, mirror images"."""
        how = f"windows of {self.window[0]} x {self.window[1]}" if self.window else "whole pictures"
        parts = [how, *[f"short side {self.short_side}"] * bool(self.short_side)]
        if self.scales != (1.0,):
            parts.append(f"scales {', '.join(f'{scale:g}' for scale in self.scales)}")
        return ", ".join([*parts, *["mirror images"] * self.flip])

    def class_map(self, forward: Forward, picture: Tensor, batch_size: int) -> Tensor:
        """The most likely class of each pixel: uint8 (height, width), on forward's device.

        Where its probabilities are not finite, the number of classes. Of one look at a picture they are
        not computed: its highest logit tells as much.

        Args:
            picture: uint8 (1, height, width, 3).
            batch_size: windows that are looked at together.
        """
        height, width = picture.shape[1:3]
        if self.scales == (1.0,) and not self.flip and not self.short_side:
            parts = self._parts(forward, picture.permute(0, 3, 1, 2), batch_size)
        else:
            seen = self.probabilities(forward, picture, batch_size)
            parts = iter([PlacedLogits(seen, 0, 0, height, width)])
        return class_map(parts, height, width)

    def probabilities(self, forward: Forward, picture: Tensor, batch_size: int) -> Tensor:
        """Of a picture uint8 (1, height, width, 3): float32 (classes, height, width), on forward's device.

        Args:
            batch_size: windows that are looked at together.
        """
        size = tuple(picture.shape[1:3])
        total: Tensor | None = None
        for scaled in self.scaled(picture):
            for mirrored in (False, True) if self.flip else (False,):
                inputs = scaled.flip(3) if mirrored else scaled
                parts = self._parts(forward, inputs, batch_size)
                logits = mean_logits(parts, inputs.shape[2], inputs.shape[3])[None]
                if mirrored:
                    logits = logits.flip(3)
                if tuple(logits.shape[2:]) != size:
                    logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
                seen = logits.softmax(1)[0]
                total = seen if total is None else total.add_(seen)
        assert total is not None
        return total.div_(len(self.scales) * (2 if self.flip else 1))

    def scaled(self, picture: Tensor) -> Iterator[Tensor]:
        """uint8 (1, 3, height, width) at each scale."""
        height, width = picture.shape[1:3]
        if self.short_side:
            most = _LONGEST * self.short_side  # of a line of pixels gigabytes
            sides = short_side_size(height, width, self.short_side)
            height, width = min(sides[0], most), min(sides[1], most)
        for scale in self.scales:
            size = max(1, round(height * scale)), max(1, round(width * scale))
            scaled = resize(picture, *size, interpolation=self.interpolation, antialias=True)
            yield scaled.permute(0, 3, 1, 2)

    def _parts(self, forward: Forward, inputs: Tensor, batch_size: int) -> Iterator[PlacedLogits]:
        """What the network gives of inputs uint8 (1, 3, height, width), or of windows of them."""
        height, width = inputs.shape[2:]
        window = self.window or (height, width)
        tall, wide = min(window[0], height), min(window[1], width)
        rows = window_starts(height, tall, self.stride)
        columns = window_starts(width, wide, self.stride)
        places = [(top, left) for top in rows for left in columns]
        for first in range(0, len(places), batch_size):
            chosen = places[first : first + batch_size]
            windows = torch.cat(
                [inputs[:, :, top : top + tall, left : left + wide] for top, left in chosen]
            )
            logits = main_output(forward(windows)).float()
            for (top, left), each in zip(chosen, logits, strict=True):
                yield PlacedLogits(each, top, left, tall, wide)


def window_starts(length: int, window: int, stride: float) -> Sequence[int]:
    """Where windows begin along an axis: evenly, the last one ends with the axis."""
    if window >= length:
        return [0]
    step = max(1, int(window * stride))
    return [*range(0, length - window, step), length - window]
