"""What a test keeps of each picture: its confusion matrix and its weighted instances, in one array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glore_video.statistics.instance_iou import COUNTS


@dataclass(frozen=True)
class RecordForm:
    """Records are float32 (classes, columns): pixels by predicted class, then what instances count.

    Weighted pixels of instances are no whole numbers; each is kept as a float32 and what is left of it,
    48 bits together, so that figures do not depend on how records are kept.

    Attributes:
        classes: how many.
        with_instances: whether pictures have instances.
    """

    classes: int
    with_instances: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.classes, self.classes + 1 + 2 * len(COUNTS) * self.with_instances

    def record(self, matrix: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
        """Of a picture's confusion matrix (classes, classes + 1) and its `instance_counts`."""
        parts = [matrix.astype(np.float32)]
        if self.with_instances:
            assert counts is not None
            most = counts.astype(np.float32)
            parts += [most, (counts - most).astype(np.float32)]
        return np.concatenate(parts, axis=1)

    def matrices(self, records: np.ndarray) -> np.ndarray:
        """float32 (pictures, classes, classes + 1)."""
        return records[:, :, : self.classes + 1]

    def instances(self, records: np.ndarray) -> np.ndarray | None:
        """float64 (pictures, classes, COUNTS); None without instances."""
        if not self.with_instances:
            return None
        kept = records[:, :, self.classes + 1 :].astype(np.float64)
        return kept[:, :, : len(COUNTS)] + kept[:, :, len(COUNTS) :]
