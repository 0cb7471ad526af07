"""A task as a whole run takes it: what the engine knows of it, and what is asked before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from glore_video.data.loader_speed import Reading
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import SampleList, Task, TrainingData
from glore_video.tasks.predictor import Predictor


class RunTask(Task, Protocol):
    """Made of a Config. Lists are read when they are first asked for.

    What the user has to mend is a UsageError that names the key.
    """

    @property
    def input_keys(self) -> str:
        """The keys that input_shape follows from, for messages."""

    @property
    def memory_format(self) -> torch.memory_format:
        """Of the network and its inputs."""

    @property
    def renders(self) -> str:
        """What `render` renders, in words; "" for nothing."""

    def render(self) -> None:
        """Make the data that are made and not there yet."""

    def check_keys(self) -> None:
        """Raises UsageError for keys that are set and mean nothing to the task."""

    def published_input(self) -> Mapping[str, Any]:
        """Keys that are not set and follow from MODEL.NAME, with the values it was published with."""

    def count_classes(self) -> tuple[int, str]:
        """The number of classes in the data, and what tells it."""

    def build_network(self) -> nn.Module | None:
        """The network without the units of GLORE and NONLOCAL; None: the one that MODEL says."""

    def predictor(
        self, network: nn.Module, *, class_names: tuple[str, ...], precision: Precision, source: str
    ) -> Predictor:
        """A network of the run in eval mode, shown single files as in a test.

        Args:
            class_names: as the weights' run had them; where they are not as many as classes, names
                are looked for where the configuration says.
            source: where the weights are from, in words.
        """

    def has_split(self, split: str) -> bool:
        """Whether there is something of this split, "train", "val" or "test"."""

    def samples(self, split: str) -> SampleList:
        """Read and check the list of a split."""

    def training_data_of(self, samples: Any, process: Process) -> TrainingData:
        """Of a list that `samples` has read, as the run would train on it."""

    @property
    def reading(self) -> Reading:
        """What reads training samples, for the figures of `benchmark-loader`."""

    def names(self) -> tuple[str, ...]:
        """Read and check the names of the classes."""

    def check_order(self, num_samples: int, process: Process) -> None:
        """Raises UsageError if steps can't be made of so many training samples."""

    def warn_of_lists(self, *, is_main: bool) -> None:
        """Read the lists that the run needs, and log what the user should know of them."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """What the network is shown, in words -> (3, *positions): in training, then in a test."""

    @property
    def views(self) -> int:
        """Inputs that a test makes of a sample, where their number does not depend on its size; else 1."""

    @property
    def lighter_test(self) -> str:
        """What needs less memory in a test, in keys."""

    @property
    def usual_classes(self) -> int:
        """How many classes costs are counted with where nothing tells their number."""

    def example_targets(self, count: int) -> torch.Tensor:
        """Of so many inputs, as a Batch has them: for a step without data."""

    def facts(self) -> Mapping[str, str]:
        """What else follows from the configuration, for --dry-run."""

    def training_length(self) -> int | str:
        """The number of training samples, or why it is not known."""
