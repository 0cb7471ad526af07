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
                logits = self._logits(forward, inputs, batch_size)
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

    def _logits(self, forward: Forward, inputs: Tensor, batch_size: int) -> Tensor:
        """float32 (1, classes, height, width) of inputs uint8 (1, 3, height, width)."""
        height, width = inputs.shape[2:]
        if not self.window or (height <= self.window[0] and width <= self.window[1]):
            return _logits_of(forward, inputs)
        rows = window_starts(height, self.window[0], self.stride)
        columns = window_starts(width, self.window[1], self.stride)
        places = [(top, left) for top in rows for left in columns]
        tall, wide = min(self.window[0], height), min(self.window[1], width)
        total: Tensor | None = None
        for first in range(0, len(places), batch_size):
            chosen = places[first : first + batch_size]
            windows = torch.cat(
                [inputs[:, :, top : top + tall, left : left + wide] for top, left in chosen]
            )
            logits = _logits_of(forward, windows)
            if total is None:
                total = logits.new_zeros(1, logits.shape[1], height, width)
            for (top, left), each in zip(chosen, logits, strict=True):
                total[0, :, top : top + tall, left : left + wide] += each
        assert total is not None
        return total.div_(
            _times(rows, tall, height)[:, None].to(total) * _times(columns, wide, width).to(total)
        )


def _logits_of(forward: Forward, inputs: Tensor) -> Tensor:
    """float32, of the inputs' size."""
    logits = main_output(forward(inputs)).float()
    if logits.shape[2:] == inputs.shape[2:]:
        return logits
    return F.interpolate(logits, tuple(inputs.shape[2:]), mode="bilinear", align_corners=False)


def window_starts(length: int, window: int, stride: float) -> Sequence[int]:
    """Where windows begin along an axis: evenly, the last one ends with the axis."""
    if window >= length:
        return [0]
    step = max(1, int(window * stride))
    return [*range(0, length - window, step), length - window]


def _times(starts: Sequence[int], window: int, length: int) -> Tensor:
    """How many windows see each position of an axis, (length,)."""
    counts = torch.zeros(length)
    for start in starts:
        counts[start : start + window] += 1
    return counts
