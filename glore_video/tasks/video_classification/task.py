"""The task of classifying videos: all that a run needs of it, from its configuration."""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

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
from glore_video.tasks.video_classification.task_classes import count_classes
from glore_video.tasks.video_classification.task_data import (
    WORDS,
    RunData,
    build_evaluation,
    build_train_data,
    build_val_data,
    clip_sampling,
    has_split,
    load_data,
    load_list,
    load_names,
    render_synthetic,
    training_batches,
)
from glore_video.tasks.video_classification.task_network import published_input
from glore_video.video import span

logger = logging.getLogger(__name__)


class VideoClassification:
    """See RunTask in tasks/protocol.py."""

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
    def input_keys(self) -> str:
        return "DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE"

    @property
    def memory_format(self) -> torch.memory_format:
        last = self._config.MODEL.CHANNELS_LAST
        return torch.channels_last_3d if last else torch.contiguous_format

    @property
    def normalize(self) -> Normalize:
        data = self._config.DATA
        return Normalize(mean=data.MEAN, std=data.STD, memory_format=self.memory_format)

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

    @property
    def renders(self) -> str:
        return "synthetic videos" if self._config.SYNTHETIC.LABELS != "none" else ""

    def render(self) -> None:
        render_synthetic(self._config)

    def published_input(self) -> dict[str, Any]:
        return published_input(self._config)

    def count_classes(self) -> tuple[int, str]:
        return count_classes(self._config)

    def has_split(self, split: str) -> bool:
        return has_split(Path(self._config.DATA.PATH_TO_DATA_DIR), split)

    def samples(self, split: str) -> VideoList:
        return load_list(self._config, split)

    def names(self) -> tuple[str, ...]:
        return load_names(self._config)

    def check_order(self, num_samples: int, process: Process) -> None:
        training_batches(self._config, num_samples, process)

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
        data = self._config.DATA
        test = (3, data.NUM_FRAMES, data.TEST_CROP_SIZE, data.TEST_CROP_SIZE)
        return {"training clip": self.input_shape, "test clip": test}

    def facts(self) -> dict[str, str]:
        """Views of a video, and the time that a clip spans."""
        test, rate = self._config.TEST, self._config.DATA.TARGET_FPS
        fps = Fraction(str(rate)) if rate else Fraction(30)
        seconds = float(span(clip_sampling(self._config), fps) / fps)
        return {
            "views a video": str(test.NUM_ENSEMBLE_VIEWS * test.NUM_SPATIAL_CROPS),
            "clip span": f"{seconds:.2f} s{'' if rate else ' of a 30 fps video'}",
        }

    def training_length(self) -> int | str:
        config = self._config
        if not config.DATA.PATH_TO_DATA_DIR:
            return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
        if self.renders:
            return config.SYNTHETIC.NUM_TRAIN
        try:
            return len(self.samples("train"))
        except FileNotFoundError as error:
            return f"not known: {error}"


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
