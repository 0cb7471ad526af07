"""Pictures of a test's report: a picture, its mask, what was predicted, and what is wrong of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from glore_video.images.errors import PictureError
from glore_video.images.masks import read_mask
from glore_video.reports.embedded import jpeg_uri, png_uri
from glore_video.statistics.confusion import IGNORED
from glore_video.tasks.segmentation.colours import coloured, overlaid
from glore_video.tasks.segmentation.dataset import SceneSet

_WIDTH = 420  # pixels of a picture on the page
_RIGHT, _WRONG = (235, 235, 235), (214, 70, 30)


@dataclass(frozen=True)
class SceneFrames:
    """What is to be seen of a picture by its path: what each frame shows, and a data URI.

    Attributes:
        scenes: the pictures and masks.
        predicted_at: where the prediction of the picture at a place in their list lies. Of one that is
            not there picture and truth are shown.
    """

    scenes: SceneSet
    predicted_at: Callable[[int], Path]

    @cached_property
    def _places(self) -> dict[str, int]:
        pictures = self.scenes.pictures
        return {pictures.path(index): index for index in range(len(pictures))}

    def __call__(self, path: str) -> list[tuple[str, str]]:
        """Raises PictureError for what can't be read, or is not in the list any more."""
        if path not in self._places:
            raise PictureError(path, f"is not in {self.scenes.pictures.source} any more")
        index = self._places[path]
        scene, prediction = self.scenes.views_of(index), self.predicted_at(index)
        height, width = scene.target.shape
        size = (min(_WIDTH, width), max(1, round(height * min(_WIDTH, width) / width)))
        picture = np.asarray(Image.fromarray(scene.picture[0].numpy()).resize(size))
        truth, colours = _small(scene.target.numpy(), size), self.scenes.classes.colour_table
        frames = [
            ("picture", jpeg_uri(Image.fromarray(picture))),
            ("truth", png_uri(Image.fromarray(coloured(truth, colours)))),
        ]
        if not prediction.is_file():
            return frames
        stored = self.scenes.classes.label_map(read_mask(prediction), prediction)
        predicted = _small(stored.numpy(), size)
        wrong = np.where((truth == predicted)[..., None], _RIGHT, _WRONG).astype(np.uint8)
        wrong[truth == IGNORED] = 0
        return [
            *frames,
            ("prediction", jpeg_uri(Image.fromarray(overlaid(picture, predicted, colours)))),
            ("wrong", png_uri(Image.fromarray(wrong))),
        ]


def _small(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
