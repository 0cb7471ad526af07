"""Multi-view testing of videos: clips x crops of each, all from one decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glore_video.tasks.classification.evaluation import SetEvaluation
from glore_video.tasks.classification.saved_scores import ViewPlan
from glore_video.tasks.sample_kinds import VIDEO, SampleKind
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video.stills import sample_frames


@dataclass(frozen=True, kw_only=True)
class VideoEvaluation(SetEvaluation):
    """A test of a video list."""

    views: EvalViews
    kind: SampleKind = VIDEO

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

    def frames(self, path: str) -> np.ndarray:
        return sample_frames(path, backend=self.views.backend)
