"""What a segmentation network says of a file: the shares of its classes, of a picture its mask too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.reports.drawing import save
from glore_video.tasks.file_predictor import NotFiniteError
from glore_video.tasks.predictor import AnyPath
from glore_video.tasks.segmentation.colour_key import with_key
from glore_video.tasks.segmentation.colours import overlaid
from glore_video.tasks.segmentation.evaluation import save_prediction


@dataclass(frozen=True, eq=False)
class Segmented:
    """Shares of the pixels.

    Attributes:
        path: the picture or video.
        classes: their names, colours and numbers.
        shares: by class, together 1; of a video the mean over its frames.
    """

    path: str
    classes: MaskClasses
    shares: tuple[float, ...]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k classes with most pixels (class name, share), those without any left out."""
        return [(self.classes.names[number], self.shares[number]) for number in self.largest(k)]

    def largest(self, k: int) -> list[int]:
        """The same classes by number."""
        order = np.argsort([-share for share in self.shares], kind="stable")[:k]
        return [int(number) for number in order if self.shares[number] > 0]


@dataclass(frozen=True, eq=False)
class SegmentedPicture(Segmented):
    """A picture's pixels.

    Attributes:
        picture: uint8 (height, width, 3).
        mask: the class of each pixel, uint8 (height, width).
    """

    picture: np.ndarray
    mask: np.ndarray

    @property
    def overlay(self) -> np.ndarray:
        """The classes' colours over the picture, uint8 (height, width, 3)."""
        return overlaid(self.picture, self.mask, self.classes.colour_table)

    def draw(self, drawing: AnyPath) -> None:
        """Write the overlay with its colour key, and beside it the mask as data sets have masks."""
        drawing = Path(drawing)
        drawing.parent.mkdir(parents=True, exist_ok=True)
        save_prediction(mask_beside(drawing), self.classes.numbers(self.mask))
        present = self.largest(len(self.classes))
        save(with_key(self.overlay, self.classes, present, self.shares), drawing)


def mask_beside(drawing: Path) -> Path:
    return drawing.with_name(f"{drawing.stem}.mask.png")


def segmented(
    class_map: Tensor, picture: Tensor, path: str, classes: MaskClasses
) -> SegmentedPicture:
    """Of a class map, uint8 (height, width), as `SceneInference.class_map` gives it.

    Args:
        picture: uint8 (1, height, width, 3).

    Raises NotFiniteError if a pixel has no class.
    """
    mask = class_map.cpu().numpy()
    counts = np.bincount(mask.ravel(), minlength=len(classes))
    if len(counts) > len(classes):
        raise NotFiniteError(path)
    shares = counts / mask.size
    return SegmentedPicture(path, classes, tuple(shares.tolist()), picture[0].numpy(), mask)
