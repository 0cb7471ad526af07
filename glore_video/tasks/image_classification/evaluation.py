"""Multi-view testing of pictures: scales, crops and mirror images of each, all from one decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glore_video.images.reading import read_image
from glore_video.tasks.classification.evaluation import SetEvaluation
from glore_video.tasks.classification.saved_scores import ViewPlan
from glore_video.tasks.image_classification.dataset import PictureViewsSet
from glore_video.tasks.sample_kinds import PICTURE, SampleKind


@dataclass(frozen=True, kw_only=True)
class PictureEvaluation(SetEvaluation):
    """A test of a list of pictures."""

    views: PictureViewsSet
    kind: SampleKind = PICTURE

    @property
    def plan(self) -> ViewPlan:
        return ViewPlan(clips=1, crops=self.views.views.num_views)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        size = self.views.views.size
        return 3, size, size

    def frames(self, path: str) -> np.ndarray:
        """uint8 (1, height, width, 3)."""
        return read_image(path, max_pixels=self.views.max_pixels).numpy()
