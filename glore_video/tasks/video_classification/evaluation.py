"""Multi-view testing of videos: clips x crops of each, all from one decoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glore_video.data.loader import views_loader
from glore_video.tasks.classification.evaluation import ViewsEvaluation
from glore_video.tasks.classification.sample_kinds import VIDEO, SampleKind
from glore_video.tasks.classification.saved_scores import ViewPlan
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video.stills import sample_frames


@dataclass(frozen=True, kw_only=True)
class VideoEvaluation(ViewsEvaluation):
    """A test of a video list.

    Attributes:
        views: of all videos.
        num_workers: processes that read videos beside this one.
        stop_on_timeout: whether a video that takes too long to read ends the test.
    """

    views: EvalViews
    kind: SampleKind = VIDEO
    num_workers: int = 0
    stop_on_timeout: bool = False

    @property
    def plan(self) -> ViewPlan:
        return ViewPlan(
            clips=self.views.num_clips,
            crops=self.views.num_crops,
            spacing=self.views.spacing,
            short_side=self.views.short_side,
        )

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        size = self.views.crop_size
        return 3, self.views.sampling.num_frames, size, size

    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        return views_loader(
            replace(self.views, indices=indices),
            num_workers=self.num_workers,
            stop_on_timeout=self.stop_on_timeout,
        )

    def frames(self, path: str) -> np.ndarray:
        return sample_frames(path, backend=self.views.backend)
