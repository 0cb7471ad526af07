"""Mixup, cutmix and label smoothing of a batch, on the device, after normalisation.

Sources: mixup (arXiv:1710.09412), cutmix (arXiv:1905.04899), with the draws of timm as SlowFast uses
them for video (datasets/mixup.py): one weight for a batch, each clip mixed with the one that stands
at its place from the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.pixels.draws import whole


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Clips and labels -> mixed clips and soft targets.

    Args:
        alpha: the weight of mixup is drawn from Beta(alpha, alpha); 0: no mixup.
        cutmix_alpha: the same for cutmix.
        probability: of a batch to be mixed at all.
        switch_probability: of cutmix where both are on.
        label_smoothing: share of each target that is spread evenly over all classes.
        num_classes: classes of the targets.

    Raises ValueError for a number out of its range.
    """

    alpha: float
    cutmix_alpha: float
    probability: float
    switch_probability: float
    label_smoothing: float
    num_classes: int

    def __post_init__(self) -> None:
        for name in ("alpha", "cutmix_alpha"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("probability", "switch_probability", "label_smoothing"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be in 0..1, got {getattr(self, name)}")
        if self.num_classes < 1:
            raise UsageError(f"num_classes must be at least 1, got {self.num_classes}")

    def __call__(
        self, clips: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix a batch; the tensors that are given stay as they are.

        A batch of one clip, or whose weight is 1, comes back as it is.

        Args:
            clips: float or uint8 (clips, 3, *positions), on any device; the last two positions are
                height and width.
            labels: int64 (clips,), on the same device, from 0 to num_classes - 1.
            generator: of the CPU, whatever the device: the draws are the same everywhere.

        Returns:
            Clips of the same shape, dtype and memory format, and float32 targets (clips,
            num_classes), each row of which sums to 1.
        """
        if clips.ndim < 4 or clips.shape[1] != 3 or labels.shape != clips.shape[:1]:
            raise UsageError(
                "inputs to mix must be (n, 3, *positions), two positions at least, with a label each, got "
                f"{tuple(clips.shape)} and labels {tuple(labels.shape)}"
            )
        weight, cuts = self._draw(generator)
        if weight < 1 and cuts:
            height, width = clips.shape[-2:]
            clips, weight = cut_and_paste(clips, cutmix_box(height, width, weight, generator))
        elif weight < 1:
            clips = _blend(clips, weight)
        return clips, self.targets(labels, weight)

    def targets(self, labels: Tensor, weight: float = 1.0) -> Tensor:
        """float32 (clips, num_classes): weight on a clip's own label, the rest on its partner's."""
        own = F.one_hot(labels, self.num_classes).to(torch.float32)
        mixed = own if weight == 1 else weight * own + (1 - weight) * own.flip(0)
        if not self.label_smoothing:
            return mixed
        return mixed * (1 - self.label_smoothing) + self.label_smoothing / self.num_classes

    def _draw(self, generator: torch.Generator) -> tuple[float, bool]:
        """The weight of a batch's own clips, and whether they are cut instead of blended."""
        # torch has no Beta distribution that takes a generator.
        numbers = np.random.default_rng(whole(0, 2**63 - 2, generator))
        mixes, switches = numbers.random(2)
        if mixes >= self.probability or not (self.alpha or self.cutmix_alpha):
            return 1.0, False
        cuts = bool(self.cutmix_alpha and (not self.alpha or switches < self.switch_probability))
        alpha = self.cutmix_alpha if cuts else self.alpha
        return float(numbers.beta(alpha, alpha)), cuts


def cutmix_box(
    height: int, width: int, weight: float, generator: torch.Generator
) -> tuple[int, int, int, int]:
    """The rectangle that a partner's clip fills: top, bottom, left, right, half-open.

    Its sides are the frame's times sqrt(1 - weight), rounded down, its centre is anywhere, and what
    lies outside of the frame is cut off.
    """
    share = math.sqrt(1 - weight)
    rows, columns = int(height * share), int(width * share)
    row = whole(0, height - 1, generator)
    column = whole(0, width - 1, generator)
    top, left = row - rows // 2, column - columns // 2
    return (
        max(0, top),
        min(height, row + rows // 2),
        max(0, left),
        min(width, column + columns // 2),
    )


def cut_and_paste(clips: Tensor, box: tuple[int, int, int, int]) -> tuple[Tensor, float]:
    """In all frames, fill the box (see cutmix_box) from the clip at the same place from the end.

    Returns the new clips, and the share of the area that stayed.
    """
    top, bottom, left, right = box
    mixed = clips.clone()
    mixed[..., top:bottom, left:right] = clips.flip(0)[..., top:bottom, left:right]
    height, width = clips.shape[-2:]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _blend(clips: Tensor, weight: float) -> Tensor:
    if clips.is_floating_point():
        return clips.lerp(clips.flip(0), 1 - weight)
    blended = clips.float().lerp(clips.flip(0).float(), 1 - weight)
    return blended.round_().to(clips.dtype)
