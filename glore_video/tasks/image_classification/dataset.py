"""A list of pictures -> random crops for training, one view for validation, views for testing.

Everything stays uint8 here; the engine normalises on the device.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image
from glore_video.images.views import PictureViews
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.tasks.classification.view_logits import TensorViews
from glore_video.tasks.picture_files import PictureFiles
from glore_video.tasks.sample_sets import TrainingSet, ValidationSet


@dataclass(frozen=True, kw_only=True)
class TrainingPictures(TrainingSet):
    """Random crops: framing and augmentation drawn anew for each (epoch, index).

    Args:
        framing: which part of the picture a crop shows.
        augmentation: colours, erasing and the like.
        num_crops: of each picture, from one decoding, each with draws of its own (repeated
            augmentation). The first is the one that num_crops=1 gives.
        max_pixels: see read_image.
        seed, attempts, watchdog: see TrainingSet.
    """

    pictures: SampleList
    framing: Framing
    augmentation: Augmentation = field(default_factory=Augmentation)
    num_crops: int = 1
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    attempts: int = 20
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> SampleList:
        return self.pictures

    def inputs(self, epoch: int, index: int, attempt: int) -> Tensor:
        """uint8 (num_crops, 3, crop_size, crop_size)."""
        path = self.pictures.path(self.chosen(epoch, index, attempt))
        picture = read_image(path, max_pixels=self.max_pixels)
        crops = [
            self.augmentation(
                picture, self.framing, generator=each.framing, colours=each.colours, number=number
            )
            for number, each in enumerate(self.draws(epoch, index, attempt, self.num_crops))
        ]
        together = torch.cat(crops) if len(crops) > 1 else crops[0]
        return together.contiguous().movedim(-1, 1)


@dataclass(frozen=True, kw_only=True)
class CentrePictures(ValidationSet):
    """The first view of each picture: the same at every validation."""

    pictures: SampleList
    views: PictureViews
    max_pixels: int = MAX_PIXELS
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> SampleList:
        return self.pictures

    def input(self, index: int) -> Tensor:
        """uint8 (3, size, size)."""
        return self.views(read_image(self.pictures.path(index), max_pixels=self.max_pixels))[0]


@dataclass(frozen=True, kw_only=True)
class PictureViewsSet(PictureFiles):
    """All views of each picture, from one decoding.

    Args:
        views: which.
    """

    views: PictureViews

    def views_of(self, index: int) -> TensorViews:
        return TensorViews(
            self.views(read_image(self.pictures.path(index), max_pixels=self.max_pixels))
        )
