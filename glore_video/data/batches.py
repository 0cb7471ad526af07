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


def collate(items: Sequence[Item], *, interleaved: bool = False) -> Batch:
    """Put the samples that could be read into one batch.

    Args:
        interleaved: the colours of a pixel lie together in the batch's memory, as a channels-last
            network takes them; else each colour lies by itself.
    """
    good = [(item, item.inputs) for item in items if item.inputs is not None]
    targets = [torch.as_tensor(item.target) for item, inputs in good for _ in inputs]
    return Batch(
        inputs=_together([inputs for _, inputs in good], interleaved) if good else None,
        targets=torch.stack(targets) if targets else torch.zeros(0, dtype=torch.int64),
        indices=tuple(item.index for item, _ in good),
        failures=tuple(failure for item in items for failure in item.failures),
    )


def _together(parts: Sequence[Tensor], interleaved: bool) -> Tensor:
    """(n, 3, *positions) of parts (inputs, 3, *positions), whatever their order in memory."""
    kinds = {(part.dtype, part.shape[1:]) for part in parts}
    if len(kinds) > 1:  # NumPy would repeat and round what does not fit
        raise ValueError(f"inputs of a batch differ: {sorted(map(str, kinds))}")
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    if interleaved:
        batch = torch.empty((shape[0], *shape[2:], shape[1]), dtype=parts[0].dtype).movedim(-1, 1)
    else:
        batch = torch.empty(shape, dtype=parts[0].dtype)
    places = batch.numpy()
    start = 0
    for part in parts:
        # NumPy takes colours apart in half the time that torch needs.
        places[start : start + len(part)] = part.numpy()
        start += len(part)
    return batch
