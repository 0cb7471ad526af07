"""Items of a data set, put together as the batch of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from glore_video.errors import Failure


class Item(Protocol):
    """What a data set gives of one sample.

    Attributes:
        inputs: uint8 (inputs, 3, *positions); None if nothing could be read.
        target: of all its inputs: a class, or a tensor.
        index: place of the sample in its list.
        failures: samples that were tried and could not be read.
    """

    @property
    def inputs(self) -> Tensor | None: ...

    @property
    def target(self) -> int | Tensor: ...

    @property
    def index(self) -> int: ...

    @property
    def failures(self) -> Sequence[Failure]: ...


@dataclass(frozen=True)
class SampleItem:
    """An Item."""

    inputs: Tensor | None
    target: int | Tensor
    index: int
    failures: Sequence[Failure] = ()

    @property
    def first(self) -> Tensor | None:
        """The first or only input, uint8 (3, *positions)."""
        return None if self.inputs is None else self.inputs[0]


@dataclass(frozen=True)
class Batch:
    """The samples of one step.

    Attributes:
        inputs: uint8 (n, 3, *positions), the inputs of a sample one after the other; None if no
            sample of the batch was readable.
        targets: (n, *shape of a target); int64 where targets are whole numbers.
        indices: places of the samples in their list, one a sample: input number i is of sample
            i // inputs_per_sample.
        failures: unreadable samples, each (path, reason).
    """

    inputs: Tensor | None
    targets: Tensor
    indices: tuple[int, ...]
    failures: tuple[Failure, ...]

    @property
    def inputs_per_sample(self) -> int:
        """1 without repeated augmentation."""
        return len(self.targets) // max(1, len(self.indices))

    def pin_memory(self) -> Batch:
        if self.inputs is None:
            return self
        return replace(self, inputs=self.inputs.pin_memory(), targets=self.targets.pin_memory())


def collate(items: Sequence[Item]) -> Batch:
    """Put the samples that could be read into one batch."""
    good = [(item, item.inputs) for item in items if item.inputs is not None]
    targets = [torch.as_tensor(item.target) for item, inputs in good for _ in inputs]
    return Batch(
        inputs=torch.cat([inputs for _, inputs in good]) if good else None,
        targets=torch.stack(targets) if targets else torch.zeros(0, dtype=torch.int64),
        indices=tuple(item.index for item, _ in good),
        failures=tuple(failure for item in items for failure in item.failures),
    )
