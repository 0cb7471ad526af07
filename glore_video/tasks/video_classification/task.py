"""The task of classifying videos: all that a run needs of it, from its configuration."""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from glore_video.data.samplers import TrainingBatches
from glore_video.data.samples import SampleList
from glore_video.data.video.video_list import VideoList
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import Words
from glore_video.tasks.classification.task_augmentation import build_augmentation
from glore_video.tasks.classification.task_base import ClassifyingTask
from glore_video.tasks.video_classification.dataset import CentreClips, TrainingClips
from glore_video.tasks.video_classification.evaluation import VideoEvaluation
from glore_video.tasks.video_classification.task_classes import count_classes
from glore_video.tasks.video_classification.task_data import (
    WORDS,
    RunData,
    build_evaluation,
    centre_clips,
    clip_sampling,
    has_split,
    load_data,
    load_list,
    load_names,
    render_synthetic,
    training_clips,
)
from glore_video.tasks.video_classification.task_network import published_input
from glore_video.video import span

logger = logging.getLogger(__name__)


class VideoClassification(ClassifyingTask):
    """See RunTask in tasks/protocol.py."""

    name = "video_classification"

    @property
    def words(self) -> Words:
        return WORDS

    @cached_property
    def _lists(self) -> RunData:
        return load_data(self.config)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        return self._lists.class_names

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a training clip: (3, frames, height, width)."""
        data = self.config.DATA
        return 3, data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE

    @property
    def input_keys(self) -> str:
        return "DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE"

    def listed(self, split: str) -> VideoList:
        videos = getattr(self._lists, split)
        assert videos is not None, f"the run does not need {split}"
        return videos

    def training_set(self, samples: SampleList) -> TrainingClips:
        assert isinstance(samples, VideoList)
        return training_clips(self.config, samples)

    def validation_set(self, samples: SampleList) -> CentreClips:
        assert isinstance(samples, VideoList)
        return centre_clips(self.config, samples)

    def evaluation(self) -> VideoEvaluation:
        """The test of the test list."""
        return build_evaluation(self.config, self.listed("test"), self.class_names)

    @property
    def renders(self) -> str:
        return "synthetic videos" if self.config.SYNTHETIC.LABELS != "none" else ""

    def render(self) -> None:
        render_synthetic(self.config)

    def published_input(self) -> dict[str, Any]:
        return published_input(self.config)

    def count_classes(self) -> tuple[int, str]:
        return count_classes(self.config)

    def has_split(self, split: str) -> bool:
        return has_split(Path(self.config.DATA.PATH_TO_DATA_DIR), split)

    def samples(self, split: str) -> VideoList:
        return load_list(self.config, split)

    def names(self) -> tuple[str, ...]:
        return load_names(self.config)

    def order(self, num_samples: int, process: Process) -> TrainingBatches:
        """Raises also what the user has to mend in the augmentation."""
        build_augmentation(self.config)
        return super().order(num_samples, process)

    def warn_of_lists(self, *, is_main: bool) -> None:
        """Read the lists, and log what the user should know of them."""
        lists = self._lists
        for videos in (lists.train, lists.val):
            if videos is not None and videos.left_out:
                logger.warning("%s: %d videos are left out", videos.source, len(videos.left_out))
        for videos in (lists.train, lists.val, lists.test) if is_main else ():
            if videos is not None:
                for note in videos.notes:
                    logger.warning("%s", note)
                _warn_of_repeated(videos)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        data = self.config.DATA
        test = (3, data.NUM_FRAMES, data.TEST_CROP_SIZE, data.TEST_CROP_SIZE)
        return {"training clip": self.input_shape, "test clip": test}

    def facts(self) -> dict[str, str]:
        """Views of a video, and the time that a clip spans."""
        test, rate = self.config.TEST, self.config.DATA.TARGET_FPS
        fps = Fraction(str(rate)) if rate else Fraction(30)
        seconds = float(span(clip_sampling(self.config), fps) / fps)
        return {
            "views a video": str(test.NUM_ENSEMBLE_VIEWS * test.NUM_SPATIAL_CROPS),
            "clip span": f"{seconds:.2f} s{'' if rate else ' of a 30 fps video'}",
        }

    def training_length(self) -> int | str:
        config = self.config
        if not config.DATA.PATH_TO_DATA_DIR:
            return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
        if self.renders:
            return config.SYNTHETIC.NUM_TRAIN
        return super().training_length()


def _warn_of_repeated(videos: VideoList) -> None:
    seen: set[int] = set()  # hashes: a fraction of the memory of paths
    repeated = []
    for place in range(len(videos)):
        path = hash(videos.path(place))
        if path in seen:
            repeated.append(place)
        seen.add(path)
    if repeated:
        logger.warning(
            "%s lists %d videos again, %s among them: each line counts, in training and in accuracies",
            *(videos.source, len(repeated), videos.path(repeated[0])),
        )
