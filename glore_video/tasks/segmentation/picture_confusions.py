"""What a test of a segmentation has seen: one confusion matrix a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glore_video.errors import Failure


@dataclass(frozen=True)
class PictureConfusions:
    """What a test has seen.

    Attributes:
        matrices: float32 (pictures, classes, classes + 1), see statistics.confusion: pixels by true and
            predicted class; in the last column those whose scores are not finite.
        paths: of the pictures.
        instances: float64 (pictures, classes, 4), see statistics.instance_iou; None: not known.
        failed: those that could not be read.
        left_out: those that are known to be bad and have no place in the list.
    """

    matrices: np.ndarray
    paths: tuple[str, ...]
    instances: np.ndarray | None = None
    failed: tuple[Failure, ...] = ()
    left_out: tuple[Failure, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """float64 (classes, classes + 1), of all pictures."""
        return self.matrices.astype(np.float64).sum(0)

    @property
    def total_instances(self) -> np.ndarray | None:
        """float64 (classes, 4), of all pictures."""
        return None if self.instances is None else self.instances.sum(0)

    @property
    def not_finite(self) -> np.ndarray:
        """Bool (pictures,): those with a pixel whose scores are not finite."""
        return np.any(self.matrices[:, :, -1] > 0, axis=1)
