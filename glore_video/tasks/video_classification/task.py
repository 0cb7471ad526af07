"""The task of classifying videos: all that a run needs of it, from its configuration."""

from __future__ import annotations

import logging
from functools import cached_property

import torch

from glore_video.config import Config
from glore_video.data.video.video_list import VideoList
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import TrainingData, ValidationData, Words
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.meter import TrainingMeter, ValidationMeter
from glore_video.tasks.classification.objective import CrossEntropy
from glore_video.tasks.classification.task_augmentation import build_mixing
from glore_video.tasks.video_classification.evaluation import VideoEvaluation
from glore_video.tasks.video_classification.task_data import (
    WORDS,
    RunData,
    build_evaluation,
    build_train_data,
    build_val_data,
    load_data,
)

logger = logging.getLogger(__name__)


class VideoClassification:
    """See Task in engine/protocols.py. Lists are read when they are first asked for."""

    name = "video_classification"

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def words(self) -> Words:
        return WORDS

    @cached_property
    def _lists(self) -> RunData:
        return load_data(self._config)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._lists.class_names

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a training clip: (3, frames, height, width)."""
        data = self._config.DATA
        return 3, data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE

    @property
    def normalize(self) -> Normalize:
        last = self._config.MODEL.CHANNELS_LAST
        return Normalize(
            mean=self._config.DATA.MEAN,
            std=self._config.DATA.STD,
            memory_format=torch.channels_last_3d if last else torch.contiguous_format,
        )

    @property
    def objective(self) -> CrossEntropy:
        return CrossEntropy(build_mixing(self._config))

    @property
    def train_meter(self) -> TrainingMeter:
        return TrainingMeter()

    @property
    def val_meter(self) -> ValidationMeter:
        return ValidationMeter()

    def train_data(self, process: Process) -> TrainingData:
        assert self._lists.train is not None, "the run does not train"
        return build_train_data(self._config, self._lists.train, process)

    def val_data(self, process: Process) -> ValidationData:
        assert self._lists.val is not None, "the run does not train"
        return build_val_data(self._config, self._lists.val, process)

    def evaluation(self) -> VideoEvaluation:
        """The test of the test list."""
        assert self._lists.test is not None, "the run does not test"
        return build_evaluation(self._config, self._lists.test, self.class_names)

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
