"""A list of pictures with masks -> random crops for training, whole pictures for validation and testing.

Everything stays uint8 here; the engine normalises on the device. Targets are int64, 255 where ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from glore_video.data.batches import SampleItem
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.reading import read_instances, read_pair
from glore_video.data.watchdog import Watchdog
from glore_video.images.opening import MAX_PIXELS
from glore_video.pixels.masked_crops import MaskedCrops
from glore_video.tasks.sample_sets import TrainingSet, ValidationSet, ViewsSet


@dataclass(frozen=True, kw_only=True)
class TrainingScenes(TrainingSet):
    """Random crops: scale, place, mirror image and colours drawn anew for each (epoch, index).

    Args:
        classes: of the masks.
        crops: what is drawn, once for a picture and its mask.
        max_pixels: see read_image.
        seed, attempts, watchdog: see TrainingSet.
    """

    pictures: MaskedList
    classes: MaskClasses
    crops: MaskedCrops
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    attempts: int = 20
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> MaskedList:
        return self.pictures

    def inputs(self, epoch: int, index: int, attempt: int) -> tuple[Tensor, Tensor]:
        """uint8 (1, 3, height, width) and uint8 (height, width)."""
        chosen = self.chosen(epoch, index, attempt)
        pair = read_pair(self.pictures, chosen, self.classes.label_map, max_pixels=self.max_pixels)
        (drawn,) = self.draws(epoch, index, attempt, 1)
        picture, mask = self.crops(*pair, generator=drawn.framing, colours=drawn.colours)
        return picture.contiguous().movedim(-1, 1), mask

    def item(self, inputs: tuple[Tensor, Tensor], index: int) -> SampleItem:
        picture, mask = inputs
        return SampleItem(picture, mask.long(), index)


@dataclass(frozen=True, kw_only=True)
class WholeScenes(ValidationSet):
    """Each picture as it is: the same at every validation."""

    pictures: MaskedList
    classes: MaskClasses
    max_pixels: int = MAX_PIXELS
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> MaskedList:
        return self.pictures

    def input(self, index: int) -> tuple[Tensor, Tensor]:
        """uint8 (1, height, width, 3) and uint8 (height, width)."""
        return read_pair(self.pictures, index, self.classes.label_map, max_pixels=self.max_pixels)

    def item(self, read: tuple[Tensor, Tensor], index: int) -> SampleItem:
        picture, mask = read
        return SampleItem(picture.contiguous().movedim(-1, 1), mask.long(), index)


@dataclass(frozen=True)
class Scene:
    """A picture that is tested.

    Attributes:
        index: its place in the list.
        picture: uint8 (1, height, width, 3).
        target: uint8 (height, width), 255 where ignored.
        instances: (height, width), see statistics.instance_iou; None if they are not wanted.
    """

    index: int
    picture: Tensor
    target: Tensor
    instances: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class SceneSet(ViewsSet):
    """Pictures for testing, each whole.

    Args:
        classes: of the masks.
        max_pixels: see read_image.
        with_instances: read pictures of instances too.
        indices: places in the list of the pictures to show; None: all.
        watchdog: limits the time for each picture.
    """

    pictures: MaskedList
    classes: MaskClasses
    max_pixels: int = MAX_PIXELS
    with_instances: bool = False
    indices: Sequence[int] | None = None
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> MaskedList:
        return self.pictures

    def showing(self, samples: MaskedList, *, watchdog: Watchdog | None = None) -> SceneSet:
        return replace(self, pictures=samples, indices=None, watchdog=watchdog)

    def views_of(self, index: int) -> Scene:
        picture, target = read_pair(
            self.pictures, index, self.classes.label_map, max_pixels=self.max_pixels
        )
        if not self.with_instances:
            return Scene(index, picture, target)
        labels = len(self.classes.class_of_label)
        instances = read_instances(self.pictures, index, target, labels, max_pixels=self.max_pixels)
        return Scene(index, picture, target, instances)
