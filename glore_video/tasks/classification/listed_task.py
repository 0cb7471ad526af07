"""Classifying tasks whose samples are files in lists and class folders."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from glore_video.data.relations.labels import Labels
from glore_video.data.samplers import TrainingBatches
from glore_video.data.samples import SampleList
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.tasks.classification.class_lists import ClassLists, RunLists, warn_of_repeated
from glore_video.tasks.classification.evaluation import SetEvaluation
from glore_video.tasks.classification.predictor import ViewsPredictor
from glore_video.tasks.classification.task_augmentation import build_augmentation
from glore_video.tasks.classification.task_base import ClassifyingTask
from glore_video.tasks.sample_sets import ViewsSet
from glore_video.tasks.synthetic import in_synthetic_keys
from glore_video.tasks.task_base import build_watchdog, num_workers

logger = logging.getLogger(__name__)
_List = TypeVar("_List", bound=SampleList)


class ListedTask(ClassifyingTask, Generic[_List]):
    """A ClassifyingTask that reads what DATA.PATH_TO_DATA_DIR holds."""

    for_own: str
    """What is made for samples of the user's own, in words."""
    evaluation_type: ClassVar[Callable[..., SetEvaluation]]
    predictor_type: ClassVar[Callable[..., ViewsPredictor]]

    @property
    @abstractmethod
    def lists(self) -> ClassLists[_List]: ...

    @abstractmethod
    def render_samples(self, labels: Labels) -> None:
        """Make the synthetic samples of SYNTHETIC in DATA.PATH_TO_DATA_DIR, or find them there."""

    @abstractmethod
    def views_of_tests(self) -> ViewsSet:
        """How a test takes the views of a sample; of no samples."""

    def evaluation(self) -> SetEvaluation:
        """The test of the test list."""
        config, samples = self.config, self.listed("test")
        return self.evaluation_type(
            samples=samples,
            class_names=self.class_names,
            keys=self.keys,
            views=self.views_of_tests().showing(samples, watchdog=build_watchdog(config)),
            num_workers=num_workers(config),
            stop_on_timeout=config.DATA_LOADER.VIDEO_TIMEOUT_ACTION == "stop",
        )

    def predictor(
        self, network: nn.Module, *, class_names: tuple[str, ...], precision: Precision, source: str
    ) -> Any:
        return self.predictor_type(
            network=network,
            class_names=self.lists.names_of_weights(class_names),
            views=self.views_of_tests(),
            normalize=self.normalize,
            precision=precision,
            source=source,
        )

    @property
    def renders(self) -> str:
        return f"synthetic {self.words.samples}" if self.config.SYNTHETIC.LABELS != "none" else ""

    def render(self) -> None:
        labels = self.config.SYNTHETIC.LABELS
        if labels != "none":
            assert labels != "lamp", "check_keys"
            with in_synthetic_keys(self.config, self.words.samples, self.for_own):
                self.render_samples(labels)

    @cached_property
    def run_lists(self) -> RunLists[_List]:
        """What the run needs, read once."""
        return self.lists.of_run()

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        return self.run_lists.class_names

    def listed(self, split: str) -> _List:
        return self.run_lists.of(split)

    def samples(self, split: str) -> _List:
        return self.lists.split(split)

    def names(self) -> tuple[str, ...]:
        return self.lists.names()

    def has_split(self, split: str) -> bool:
        return self.lists.has_split(split)

    def count_classes(self) -> tuple[int, str]:
        return self.lists.count_classes()

    def order(self, num_samples: int, process: Process) -> TrainingBatches:
        """Raises also what the user has to mend in the augmentation."""
        build_augmentation(self.config)
        return super().order(num_samples, process)

    def warn_of_lists(self, *, is_main: bool) -> None:
        lists, words = self.run_lists, self.words
        for samples in (lists.train, lists.val):
            if samples is not None and samples.left_out:
                logger.warning(
                    "%s: %d %s are left out",
                    *(samples.source, len(samples.left_out), words.samples),
                )
        for samples in (lists.train, lists.val, lists.test) if is_main else ():
            if samples is not None:
                for note in samples.notes:
                    logger.warning("%s", note)
                warn_of_repeated(samples, words.samples)

    def training_length(self) -> int | str:
        config = self.config
        if not config.DATA.PATH_TO_DATA_DIR:
            return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
        if self.renders:
            return config.SYNTHETIC.NUM_TRAIN
        return super().training_length()
