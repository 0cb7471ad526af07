"""What the engine knows of a task: batches, objective, meters, evaluation. torch and numpy alone.

Two ideas keep resuming, sums over processes, sharded tests and bootstrap intervals the same for
every task: a figure is made of additive float64 counts, and a test leaves one array of a fixed
shape for each sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glore_video.engine.launch.processes import Process
from glore_video.errors import Failure

Normalize = Callable[[Tensor, torch.device], Tensor]
"""uint8 (n, 3, *positions) anywhere -> float32 of the same shape on the device."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a task calls its samples and their inputs: in log lines, errors and keys of metrics.

    Attributes:
        sample: one line of a list: "video".
        input: what the network is given of it: "clip".
        validated: which input of a sample validation takes: "centre clip"; "" if there is one only.
        faster_reading: what a user may do if reading keeps the network waiting.
    """

    sample: str = "sample"
    input: str = "input"
    validated: str = ""
    faster_reading: str = "make samples smaller"

    @property
    def samples(self) -> str:
        return f"{self.sample}s"

    @property
    def inputs(self) -> str:
        return f"{self.input}s"


PLAIN_WORDS = Words()


class Batch(Protocol):
    """The samples of one step, of one process."""

    @property
    def inputs(self) -> Tensor | None:
        """uint8 (n, 3, *positions); None: no sample of the batch was readable."""

    @property
    def targets(self) -> Tensor:
        """int64 (n,), float (n, classes) or int64 (n, height, width), 255 = ignored."""

    @property
    def indices(self) -> Sequence[int]:
        """Places of the samples in their list; a sample may give several inputs."""

    @property
    def failures(self) -> Sequence[Failure]: ...


class SampleList(Protocol):
    """The samples of one split, in the order of their list."""

    def __len__(self) -> int: ...

    def path(self, index: int) -> str:
        """The name of the sample at this place, for messages and results."""


class TrainingOrder(Protocol):
    """Which samples come in which step: the same batches with any number of processes."""

    epoch: int
    """That the next iteration gives."""
    first: int
    """The step from which on it gives them."""

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def follows_from(self) -> Mapping[str, int]:
        """What the order of an epoch follows from: seed, batch_size, num_samples."""

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class TrainingData:
    """The training samples of one process.

    Attributes:
        loader: gives a Batch a step, of the epoch and from the step that `order` names.
        order: of all processes.
        samples: that indices of a Batch are places in.
    """

    loader: DataLoader[Any]
    order: TrainingOrder
    samples: SampleList


@dataclass(frozen=True)
class ValidationData:
    """One process' share of the samples that are validated, each once over all processes.

    Attributes:
        loader: gives a Batch at a time.
        samples: of all processes.
    """

    loader: DataLoader[Any]
    samples: SampleList


class Objective(Protocol):
    """The task's half of a training step."""

    def prepare(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """What the network is given, and what its outputs are held against: mixup and the like.

        Args:
            inputs: float (n, 3, *positions), normalised, on the device.
            targets: as a Batch has them, on the device.
        """

    def weight(self, targets: Tensor) -> float | Tensor:
        """What the sum of losses is divided by: samples, or pixels that are not ignored.

        A number if it follows from the shape alone: each process divides by its own. A scalar
        tensor if it depends on values: it is added up over the processes and the parts of a step.

        Args:
            targets: as `prepare` returned them.
        """

    def loss_sum(self, outputs: Any, targets: Tensor) -> Tensor:
        """Sum of the losses, a scalar; auxiliary outputs inside.

        Args:
            outputs: of the network, as autocast left them.
            targets: as `prepare` returned them.
        """


class Meter(Protocol):
    """Figures from additive counts.

    One that validates has the mean loss among its figures, as "loss". Samples whose outputs are not
    finite have no part in it, and are wrong in the other figures.
    """

    @property
    def main(self) -> str:
        """The figure that decides which checkpoint is best, greater is better: "top1", "miou"."""

    @property
    def size(self) -> int:
        """Number of counts."""

    def count(self, outputs: Any, targets: Tensor) -> Tensor:
        """float64 (size,) of these samples, on their device.

        Args:
            outputs: of the network, as autocast left them; no gradient is wanted.
            targets: as the Batch had them.
        """

    def figures(self, counts: Tensor) -> dict[str, float]:
        """From sums of counts, on the CPU, to figures by name; `main` is one of them.

        NaN where nothing was counted.
        """

    def text(self, figures: Mapping[str, float], decimals: int) -> str:
        """The figures that a log line shows beside the loss: "top-1 61.25%"."""


class Records(NamedTuple):
    """What a test has seen of the samples that were readable, in the order of the list."""

    indices: np.ndarray
    """int64 (samples,), ascending: their places in the list."""
    values: np.ndarray
    """float32 (samples, *record_shape)."""
    failed: tuple[Failure, ...]
    """The others."""


class Outcome(Protocol):
    """What a test has come to."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """Of the test's line in metrics.jsonl; empty if there is nothing to say."""

    def problem(self, checkpoint: str) -> str:
        """Why the test of these weights is an error although it came to its end; else empty."""


class Evaluation(Protocol):
    """The task's half of a test."""

    @property
    def noun(self) -> str:
        """What a sample is, for messages: "video"."""

    @property
    def samples(self) -> SampleList: ...

    @property
    def input_shape(self) -> Sequence[int]:
        """Of one input of the network, (3, *positions)."""

    @property
    def record_shape(self) -> Sequence[int]:
        """Of one sample's record: (views, classes), or (classes, classes)."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Plain values of all that records depend on, the list too, but for the weights."""

    def describe(self) -> str:
        """What is tested, in words."""

    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        """One item a sample, in this order: `index`, `views` (None if unreadable), `failures`.

        Views that have `to(device)` are moved to the process' device before `record` gets them.
        """

    def tested_form(self, network: nn.Module) -> nn.Module:
        """What is run instead of a network in eval mode; its outputs are what `record` expects."""

    def record(self, forward: Callable[[Tensor], Any], views: Any, batch_size: int) -> np.ndarray:
        """float32 of record_shape. forward: uint8 (at most batch_size, 3, *positions) -> outputs."""

    def summarize(self, records: Records) -> Outcome: ...

    def write(self, folder: Path, records: Records, summary: Any, facts: Mapping[str, Any]) -> None:
        """The files of results.

        Args:
            summary: what `summarize` has returned for these records.
            facts: more keys of summary.json.
        """

    def report(self, folder: Path, records: Records) -> None:
        """The page about what `write` has written into the folder."""


class Task(Protocol):
    """What a run needs of its task."""

    @property
    def name(self) -> str: ...

    @property
    def words(self) -> Words: ...

    @property
    def class_names(self) -> Sequence[str]:
        """By label."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input in training: (3, *positions)."""

    @property
    def normalize(self) -> Normalize: ...

    @property
    def objective(self) -> Objective: ...

    @property
    def train_meter(self) -> Meter: ...

    @property
    def val_meter(self) -> Meter:
        """Its main figure says which checkpoint is best."""

    def train_data(self, process: Process) -> TrainingData: ...

    def val_data(self, process: Process) -> ValidationData: ...

    def evaluation(self) -> Evaluation:
        """The test of all samples, whatever the process."""
