"""Losses of pixels: cross-entropy with ignored pixels, class weights, hard examples, auxiliary heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.pixels.kept_tensors import kept_on_device
from glore_video.statistics.confusion import IGNORED


@dataclass(frozen=True)
class PixelCrossEntropy:
    """Cross-entropy over the pixels that are not IGNORED.

    The sum of losses is divided by the sum of their classes' weights, over all parts and processes of a
    step, so that accumulation is exact whatever is ignored where.

    Args:
        class_weights: by class; empty: all 1.
        auxiliary: factor of the loss of an auxiliary head ("aux" among the outputs).
        hard: with a number above 0, only pixels whose true class has a lower probability than this
            have a loss (online hard example mining), and with it at least `least` pixels of each
            picture, the hardest. The others still count in the weight that the sum is divided by.
        least: see hard.
    """

    class_weights: tuple[float, ...] = ()
    auxiliary: float = 0.4
    hard: float = 0.0
    least: int = 100_000

    def __post_init__(self) -> None:
        if not 0 <= self.hard <= 1:
            raise UsageError(f"hard must be a probability from 0 to 1, got {self.hard}")
        if self.least < 0 or self.auxiliary < 0 or min(self.class_weights, default=0) < 0:
            raise UsageError("least, auxiliary and class_weights must not be negative")

    def prepare(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """As they are: what is drawn is drawn in the reading processes."""
        return inputs, targets

    def weight(self, targets: Tensor) -> Tensor:
        """Of targets int64 (n, height, width): the sum of the weights of those not IGNORED."""
        valid = targets != IGNORED
        if not self.class_weights:
            return valid.sum()
        # Summed with zeros: how many pixels are valid the host would have to wait for.
        of_pixels = self._weights(targets)[targets.clamp(max=len(self.class_weights) - 1)]
        return of_pixels.masked_fill(~valid, 0).sum()

    def loss_sum(self, outputs: Tensor | Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """Of logits (n, classes, height, width), or of {"out": ..., "aux": ...} of such, in float32."""
        if isinstance(outputs, Tensor):
            return self.of_pixels(outputs.float(), targets).sum()
        loss = self.of_pixels(outputs["out"].float(), targets).sum()
        if "aux" in outputs and self.auxiliary:
            loss = loss + self.auxiliary * self.of_pixels(outputs["aux"].float(), targets).sum()
        return loss

    def of_pixels(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float32 (n, height, width): the loss of each pixel, 0 where it has none."""
        weights = self._weights(targets) if self.class_weights else None
        losses = F.cross_entropy(
            logits, targets, weight=weights, ignore_index=IGNORED, reduction="none"
        )
        return losses * self._hard_ones(logits, targets) if self.hard else losses

    def _weights(self, targets: Tensor) -> Tensor:
        return _on_device(self.class_weights, targets.device)

    @torch.no_grad()
    def _hard_ones(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Bool (n, height, width). A picture's own pixels decide, so that parts of a step don't matter."""
        valid = targets != IGNORED
        true = targets.clamp(max=logits.shape[1] - 1)[:, None]
        sure = logits.softmax(1).gather(1, true)[:, 0].masked_fill(~valid, 2.0).flatten(1)
        kept = min(self.least, sure.shape[1])
        limit = torch.full_like(sure[:, :1], self.hard)
        if kept:
            limit = torch.maximum(limit, sure.kthvalue(kept, dim=1, keepdim=True).values)
        return (sure <= limit).view_as(valid) & valid


@kept_on_device(maxsize=8)
def _on_device(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """float32 (classes,)."""
    return torch.tensor(weights, dtype=torch.float32, device=device)


def main_output(outputs: Any) -> Tensor:
    """The logits (n, classes, height, width) among what a segmentation network returns."""
    return outputs if isinstance(outputs, Tensor) else outputs["out"]


def check_class_weights(weights: Sequence[float], num_classes: int, key: str) -> None:
    """Raises UsageError that names the key if there are weights, but not one a class."""
    if weights and len(weights) != num_classes:
        raise UsageError(f"{key}: {len(weights)} weights for {num_classes} classes; one a class")
