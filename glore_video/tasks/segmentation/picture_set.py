"""Pictures without masks, each whole: what single files and folders of them are for a segmentation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from glore_video.images.reading import read_image
from glore_video.tasks.picture_files import PictureFiles


@dataclass(frozen=True, kw_only=True)
class WholePictures(PictureFiles):
    """Each picture as it is, uint8 (1, height, width, 3)."""

    def views_of(self, index: int) -> Tensor:
        return read_image(self.pictures.path(index), max_pixels=self.max_pixels)
