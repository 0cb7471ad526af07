"""What tasks have in common: colours, order of the samples, loaders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from glore_video.config import Config, flatten
from glore_video.data.loader import samples_loader
from glore_video.data.loader_speed import Reading
from glore_video.data.samplers import TrainingBatches, shard
from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import Evaluation, TrainingData, ValidationData, Words
from glore_video.errors import UsageError
from glore_video.pixels.normalize import Normalize
from glore_video.processes.cpus import usable_cpus
from glore_video.tasks.predictor import Predictor


class BaseTask(ABC):
    """The part of a RunTask (tasks/protocol.py) that is the same for most tasks.

    A task gives what is abstract here, objective and meters, and says otherwise where its data want it.

    Args:
        config: of the run.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    @abstractmethod
    def name(self) -> str:
        """As TASK has it."""

    @property
    @abstractmethod
    def words(self) -> Words: ...

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Of one input in training: (3, *positions)."""

    @abstractmethod
    def samples(self, split: str) -> SampleList:
        """Read and check the list of a split."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by label."""

    @abstractmethod
    def training_set(self, samples: SampleList) -> Dataset[Any]:
        """Takes keys (epoch, index) and gives items (data/batches.py)."""

    @abstractmethod
    def validation_set(self, samples: SampleList) -> Dataset[Any]:
        """Takes indices and gives items."""

    @abstractmethod
    def evaluation(self) -> Evaluation: ...

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        return self.names()

    @property
    def keys(self) -> dict[str, Any]:
        """Of the configuration, with their values: what an evaluation's settings are made of."""
        return dict(flatten(self.config))

    @property
    def input_keys(self) -> str:
        return "DATA.TRAIN_CROP_SIZE"

    @property
    def renders(self) -> str:
        return ""

    @property
    def memory_format(self) -> torch.memory_format:
        wanted = self.config.MODEL.CHANNELS_LAST
        if wanted == "auto":
            # cuDNN's convolutions on tensor cores read half precision in this order, and change others to it.
            wanted = self.config.NUM_GPUS != 0 and self.config.TRAIN.MIXED_PRECISION
        if not wanted:
            return torch.contiguous_format
        last = {3: torch.channels_last, 4: torch.channels_last_3d}
        return last.get(len(self.input_shape), torch.contiguous_format)

    @property
    def normalize(self) -> Normalize:
        data = self.config.DATA
        return Normalize(mean=data.MEAN, std=data.STD, memory_format=self.memory_format)

    def listed(self, split: str) -> SampleList:
        """The list of a split that the run needs."""
        return self.samples(split)

    def order(self, num_samples: int, process: Process) -> TrainingBatches:
        """This process' batches; raises what the user has to mend in their size."""
        return TrainingBatches(
            num_samples,
            batch_size=self.config.TRAIN.BATCH_SIZE,
            seed=self.config.RNG_SEED,
            rank=process.rank,
            world_size=process.world_size,
            noun=self.words.samples,
        )

    def check_order(self, num_samples: int, process: Process) -> None:
        self.order(num_samples, process)

    def train_data(self, process: Process) -> TrainingData:
        return self.training_data_of(self.listed("train"), process)

    def training_data_of(self, samples: SampleList, process: Process) -> TrainingData:
        """Of these samples, as the run would train on them."""
        order = self.order(len(samples), process)
        return TrainingData(self._loader(self.training_set(samples), batches=order), order, samples)

    @property
    def reading(self) -> Reading:
        return Reading(faster=self.words.faster_reading)

    def val_data(self, process: Process) -> ValidationData:
        return self.validation_data_of(self.listed("val"), process)

    def validation_data_of(self, samples: SampleList, process: Process) -> ValidationData:
        """Of these samples, this process' share, as the run would validate on them."""
        own = shard(len(samples), rank=process.rank, world_size=process.world_size)
        size = max(1, self.config.TRAIN.BATCH_SIZE // process.world_size)
        loader = self._loader(self.validation_set(samples), sampler=own, batch_size=size)
        return ValidationData(loader, samples)

    def _loader(self, dataset: Dataset[Any], **order: Any) -> DataLoader[Any]:
        options = self.config.DATA_LOADER
        return samples_loader(
            dataset,
            num_workers=num_workers(self.config),
            pin_memory=options.PIN_MEMORY,
            stop_on_timeout=options.VIDEO_TIMEOUT_ACTION == "stop",
            interleaved=self.memory_format != torch.contiguous_format,
            **order,
        )

    def render(self) -> None:
        return

    def check_keys(self) -> None:
        return

    def published_input(self) -> Mapping[str, Any]:
        return {}

    def count_classes(self) -> tuple[int, str]:
        return len(self.names()), f"TASK = {self.name}"

    def build_network(self) -> nn.Module | None:
        return None

    def predictor(
        self, network: nn.Module, *, class_names: tuple[str, ...], precision: Precision, source: str
    ) -> Predictor:
        """Raises UsageError: a task says itself how single files are shown."""
        raise UsageError(f"TASK = {self.name}: no predictions for single files")

    def has_split(self, split: str) -> bool:
        return True

    def warn_of_lists(self, *, is_main: bool) -> None:
        return

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {f"training {self.words.input}": self.input_shape}

    @property
    def views(self) -> int:
        return 1

    @property
    def lighter_test(self) -> str:
        return "a smaller one"

    @property
    def usual_classes(self) -> int:
        return 400

    def example_targets(self, count: int) -> torch.Tensor:
        """int64 (count,): one class each."""
        return torch.zeros(count, dtype=torch.int64)

    def facts(self) -> dict[str, str]:
        return {}

    def training_length(self) -> int | str:
        try:
            return len(self.samples("train"))
        except FileNotFoundError as error:
            return f"not known: {error}"


def num_workers(config: Config) -> int:
    """DATA_LOADER.NUM_WORKERS, but no more than the CPUs this process may use."""
    return min(config.DATA_LOADER.NUM_WORKERS, usable_cpus())


def without_time_limit(config: Config) -> dict[str, Any]:
    """DATA_LOADER.VIDEO_TIMEOUT 0 where it is not set: of pictures it costs a fifth of reading, and
    their decoders don't hang."""
    is_set = "VIDEO_TIMEOUT" in config.DATA_LOADER.model_fields_set
    return {} if is_set else {"DATA_LOADER.VIDEO_TIMEOUT": 0.0}


def build_watchdog(config: Config) -> Watchdog | None:
    """Only in worker processes: the trainer's own, with a GPU in it, is not one to fork from."""
    seconds = config.DATA_LOADER.VIDEO_TIMEOUT
    return Watchdog(seconds) if seconds and num_workers(config) else None
