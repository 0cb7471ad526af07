"""Files of pictures that are shown to a network as a test shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.images.opening import MAX_PIXELS
from glore_video.tasks.sample_sets import ViewsSet

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class PictureFiles(ViewsSet):
    """The part of a ViewsSet that is the same for all views of pictures.

    Without pictures it only says how views are taken; `showing` gives it some.

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

    def showing(self, samples: SampleList, *, watchdog: Watchdog | None = None) -> Self:
        return replace(self, pictures=samples, indices=None, watchdog=watchdog)
