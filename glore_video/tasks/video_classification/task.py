"""The task of classifying videos: all that a run needs of it, from its configuration."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

from glore_video.data.loader_speed import Reading
from glore_video.data.relations.labels import Labels
from glore_video.data.samples import SampleList
from glore_video.data.video.video_files import VIDEOS
from glore_video.data.video.video_list import VideoList
from glore_video.engine.protocols import Words
from glore_video.errors import UsageError
from glore_video.models.zoo import PICTURE_ARCHITECTURES
from glore_video.tasks.classification.class_lists import ClassLists, RunLists
from glore_video.tasks.classification.listed_task import ListedTask
from glore_video.tasks.keys_of_no_use import OF_SEGMENTATION, refuse_keys
from glore_video.tasks.synthetic import RELATIONS, check_labels
from glore_video.tasks.video_classification.dataset import CentreClips, EvalViews, TrainingClips
from glore_video.tasks.video_classification.evaluation import VideoEvaluation
from glore_video.tasks.video_classification.predictor import VideoPredictor
from glore_video.tasks.video_classification.task_data import (
    WORDS,
    centre_clips,
    check_backend,
    clip_sampling,
    render_videos,
    training_clips,
    video_lists,
    views_of_tests,
)
from glore_video.tasks.video_classification.task_network import published_input
from glore_video.video import VideoReader, open_video, span

_OF_PICTURES = (
    *("DATA.INTERPOLATION", "DATA.CROP_MODE", "DATA.MAX_PIXELS", "DATA.VAL_LABELS_PATH"),
    *("TEST.SCALES", "TEST.FLIP"),
)


class VideoClassification(ListedTask[VideoList]):
    """See RunTask in tasks/protocol.py."""

    name = "video_classification"
    evaluation_type = VideoEvaluation
    predictor_type = VideoPredictor
    for_own = "--cfg k400_glore_r50_finetune is made for videos of your own"

    @property
    def words(self) -> Words:
        return WORDS

    @property
    def lists(self) -> ClassLists[VideoList]:
        return video_lists(self.config)

    @cached_property
    def run_lists(self) -> RunLists[VideoList]:
        check_backend(self.config)
        return super().run_lists

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a training clip: (3, frames, height, width)."""
        data = self.config.DATA
        return 3, data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE

    @property
    def input_keys(self) -> str:
        return "DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE"

    def training_set(self, samples: SampleList) -> TrainingClips:
        assert isinstance(samples, VideoList)
        return training_clips(self.config, samples)

    def validation_set(self, samples: SampleList) -> CentreClips:
        assert isinstance(samples, VideoList)
        return centre_clips(self.config, samples)

    @property
    def reading(self) -> Reading:
        return Reading(
            opening=open_video,
            decoding=VideoReader.frames,
            faster="see glore-video check-data for what smaller files with shorter GOPs would save",
        )

    def views_of_tests(self) -> EvalViews:
        return views_of_tests(self.config)

    def render_samples(self, labels: Labels) -> None:
        render_videos(self.config, labels)

    def check_keys(self) -> None:
        refuse_keys(
            self.config, (*_OF_PICTURES, *OF_SEGMENTATION), f"whose samples are {VIDEOS.words}"
        )
        check_labels(self.config, RELATIONS)
        if self.config.TEST.NUM_SPATIAL_CROPS == 5:
            raise UsageError("TEST.NUM_SPATIAL_CROPS = 5 is for pictures; of a clip 1 or 3")
        model = self.config.MODEL
        if not model.NAME and model.ARCH in PICTURE_ARCHITECTURES:
            raise UsageError(
                f"MODEL.ARCH = {model.ARCH} takes pictures, not the clips of a video: for pictures "
                "TASK image_classification"
            )

    def published_input(self) -> dict[str, Any]:
        return published_input(self.config)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        data = self.config.DATA
        test = (3, data.NUM_FRAMES, data.TEST_CROP_SIZE, data.TEST_CROP_SIZE)
        return {"training clip": self.input_shape, "test clip": test}

    @property
    def views(self) -> int:
        return self.config.TEST.NUM_ENSEMBLE_VIEWS * self.config.TEST.NUM_SPATIAL_CROPS

    def facts(self) -> dict[str, str]:
        """Views of a video, and the time that a clip spans."""
        rate = self.config.DATA.TARGET_FPS
        fps = Fraction(str(rate)) if rate else Fraction(30)
        seconds = float(span(clip_sampling(self.config), fps) / fps)
        return {
            "views a video": str(self.views),
            "clip span": f"{seconds:.2f} s{'' if rate else ' of a 30 fps video'}",
        }
