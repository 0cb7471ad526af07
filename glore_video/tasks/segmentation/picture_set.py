"""Pictures without masks, each whole: what single files and folders of them are for a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image
from glore_video.tasks.sample_sets import ViewsSet


@dataclass(frozen=True, kw_only=True)
class WholePictures(ViewsSet):
    """Each picture as it is, uint8 (1, height, width, 3).

    Args:
        max_pixels: see read_image.
        indices: places in the list of the pictures to show; None: all.
        watchdog: limits the time for each picture.
    """

    pictures: SampleList = field(default_factory=lambda: SampleList(Path(), (), ()))
    max_pixels: int = MAX_PIXELS
    indices: Sequence[int] | None = None
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> SampleList:
        return self.pictures

    def showing(self, samples: SampleList, *, watchdog: Watchdog | None = None) -> WholePictures:
        return replace(self, pictures=samples, indices=None, watchdog=watchdog)

    def views_of(self, index: int) -> Tensor:
        return read_image(self.pictures.path(index), max_pixels=self.max_pixels)
