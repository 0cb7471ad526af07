"""Evaluating a segmentation as torchvision's references do: references/segmentation of its repository.

Written anew after train.py (evaluate), utils.py (ConfusionMatrix, collate_fn), presets.py
(SegmentationPresetEval) and transforms.py there; pictures keep their own size. It has no sliding
windows: the usual loop is added, which sums the logits of windows at full size and divides them by how
many windows see a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as tvf

from glore_video.tasks.segmentation.scene_inference import window_starts


class Pairs(Dataset):
    """float32 (3, height, width), normalised, and int64 (height, width)."""

    def __init__(
        self,
        pictures: Sequence[Path],
        masks: Sequence[Path],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.pictures, self.masks = pictures, masks
        self.mean, self.std = list(mean), list(std)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.pictures[index]) as file:
            picture = tvf.pil_to_tensor(file.convert("RGB"))
        with Image.open(self.masks[index]) as file:
            target = torch.as_tensor(np.array(file), dtype=torch.int64)
        return tvf.normalize(tvf.to_dtype(picture, scale=True), self.mean, self.std), target


def padded(batch: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Pictures of a batch in one tensor, filled up with 0, and targets, with 255."""
    return tuple(
        _together(each, fill) for each, fill in zip(zip(*batch, strict=True), (0, 255), strict=True)
    )


def _together(tensors: Sequence[Tensor], fill: int) -> Tensor:
    size = [max(lengths) for lengths in zip(*(each.shape for each in tensors), strict=True)]
    batch = tensors[0].new_full((len(tensors), *size), fill)
    for whole, each in zip(batch, tensors, strict=True):
        whole[..., : each.shape[-2], : each.shape[-1]].copy_(each)
    return batch


class ConfusionMatrix:
    """int64 (classes, classes), by true and predicted class."""

    def __init__(self, num_classes: int) -> None:
        self.counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def update(self, truth: Tensor, prediction: Tensor) -> None:
        classes = len(self.counts)
        counted = (truth >= 0) & (truth < classes)
        places = classes * truth[counted].to(torch.int64) + prediction[counted]
        self.counts += torch.bincount(places, minlength=classes**2).view(classes, classes)


def evaluate(network: Callable[[Tensor], Tensor], pairs: Pairs, num_classes: int) -> Tensor:
    """The confusion matrix of all pixels, int64 (classes, classes)."""
    matrix = ConfusionMatrix(num_classes)
    if isinstance(network, nn.Module):
        network.eval()
    with torch.inference_mode():
        for picture, target in DataLoader(pairs, batch_size=1, collate_fn=padded):
            output = network(picture)
            matrix.update(target.flatten(), output.argmax(1).flatten())
    return matrix.counts


def in_windows(
    network: nn.Module, window: tuple[int, int], stride: float
) -> Callable[[Tensor], Tensor]:
    """The network on sliding windows, one after the other."""

    def run(picture: Tensor) -> Tensor:
        height, width = picture.shape[2:]
        total = times = None
        for top in window_starts(height, window[0], stride):
            for left in window_starts(width, window[1], stride):
                where = ..., slice(top, top + window[0]), slice(left, left + window[1])
                logits = network(picture[where])
                if total is None:
                    total = logits.new_zeros(1, logits.shape[1], height, width)
                    times = logits.new_zeros(1, 1, height, width)
                total[where] += logits
                times[where] += 1
        return total / times

    return run
