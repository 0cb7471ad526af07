"""Multi-view testing of pictures: scales, crops and mirror images of each, all from one decoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glore_video.data.loader import views_loader
from glore_video.images.reading import read_image
from glore_video.tasks.classification.evaluation import ViewsEvaluation
from glore_video.tasks.classification.sample_kinds import PICTURE, SampleKind
from glore_video.tasks.classification.saved_scores import ViewPlan
from glore_video.tasks.image_classification.dataset import PictureViewsSet


@dataclass(frozen=True, kw_only=True)
class PictureEvaluation(ViewsEvaluation):
    """A test of a list of pictures.

    Attributes:
        views: of all pictures.
        num_workers: processes that read pictures beside this one.
        stop_on_timeout: whether a picture that takes too long to read ends the test.
    """

    views: PictureViewsSet
    kind: SampleKind = PICTURE
    num_workers: int = 0
    stop_on_timeout: bool = False

    @property
    def plan(self) -> ViewPlan:
        return ViewPlan(clips=1, crops=self.views.views.num_views)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        size = self.views.views.size
        return 3, size, size

    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        return views_loader(
            replace(self.views, indices=indices),
            num_workers=self.num_workers,
            stop_on_timeout=self.stop_on_timeout,
        )

    def frames(self, path: str) -> np.ndarray:
        """uint8 (1, height, width, 3)."""
        return read_image(path, max_pixels=self.views.max_pixels).numpy()
