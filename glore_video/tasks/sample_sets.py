"""Data sets of the samples of a list: random inputs for training, one for validation, views for testing.

What is drawn in training depends on (seed, epoch, position in the list) alone, never on the number
of workers or processes. A task says how a sample is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.utils.data import Dataset

from glore_video.data.batches import SampleItem
from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog, watched
from glore_video.errors import Failure, SampleError
from glore_video.pixels.draws import whole
from glore_video.seeding import generator_for

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Draws:
    """The generators of one training input.

    Attributes:
        framing: of start, size, crop and mirror image.
        colours: of all the rest.
    """

    framing: torch.Generator
    colours: torch.Generator


class TrainingSet(Dataset[SampleItem], ABC):
    """Random inputs of each sample, drawn anew for each (epoch, index).

    A sample that can't be read is replaced by another one of the list with its own label; the item
    names every failure.

    Attributes:
        samples: the list.
        seed: of all draws.
        attempts: samples to try before the item has no input.
        watchdog: limits the time for each sample.
    """

    seed: int
    attempts: int
    watchdog: Watchdog | None

    @property
    @abstractmethod
    def samples(self) -> SampleList: ...

    @abstractmethod
    def inputs(self, epoch: int, index: int, attempt: int) -> Any:
        """uint8 (inputs, 3, *positions) of the sample at `chosen(epoch, index, attempt)`.

        Or what `item` makes an item of. Raises SampleError if the sample can't be read.
        """

    def item(self, inputs: Any, index: int) -> SampleItem:
        """Of what `inputs` gave of the sample at index; its target is its label."""
        return SampleItem(inputs, self.samples.label(index), index)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> SampleItem:
        failures: list[Failure] = []
        for attempt in range(self.attempts):
            index = self.chosen(*key, attempt)
            path = self.samples.path(index)
            try:
                inputs = watched(self.watchdog, self.inputs, path, *key, attempt)
            except SampleError as error:
                failures.append((error.path, error.reason))
            else:
                return replace(self.item(inputs, index), failures=tuple(failures))
        return SampleItem(None, -1, key[1], tuple(failures))

    def chosen(self, epoch: int, index: int, attempt: int) -> int:
        """The sample that is tried in place of the one at index; itself at attempt 0."""
        return self._draw(epoch, index, attempt)[0]

    def draws(self, epoch: int, index: int, attempt: int, count: int) -> list[Draws]:
        """Of each of `count` inputs; the first ones are those of fewer inputs."""
        key = (self.seed, epoch, index, attempt)
        # SeedSequence takes (1, 2) and (1, 2, 0) for the same: a key never ends with a zero.
        framings = [
            self._draw(epoch, index, attempt)[1],
            *(generator_for(*key, number) for number in range(1, count)),
        ]
        colours = [generator_for(*key, number, 1) for number in range(count)]
        return [Draws(*pair) for pair in zip(framings, colours, strict=True)]

    def _draw(self, epoch: int, index: int, attempt: int) -> tuple[int, torch.Generator]:
        if not attempt:
            return index, generator_for(self.seed, epoch, index)
        generator = generator_for(self.seed, epoch, index, attempt)
        return whole(0, len(self.samples) - 1, generator), generator


class ValidationSet(Dataset[SampleItem], ABC):
    """One input of each sample, the same at every validation.

    Attributes:
        samples, watchdog: as in TrainingSet.
    """

    watchdog: Watchdog | None

    @property
    @abstractmethod
    def samples(self) -> SampleList: ...

    @abstractmethod
    def input(self, index: int) -> Any:
        """uint8 (3, *positions), or what `item` makes an item of.

        Raises SampleError if the sample can't be read.
        """

    def item(self, read: Any, index: int) -> SampleItem:
        """Of what `input` gave of the sample at index; its target is its label."""
        return SampleItem(read[None], self.samples.label(index), index)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> SampleItem:
        label = self.samples.label(index)
        try:
            read = watched(self.watchdog, self.input, self.samples.path(index), index)
        except SampleError as error:
            return SampleItem(None, label, index, ((error.path, error.reason),))
        return self.item(read, index)


@dataclass(frozen=True)
class ViewsItem:
    """The views of the sample at `index` in the list, or why there are none."""

    views: Any
    label: int
    index: int
    failures: tuple[Failure, ...] = ()

    def pin_memory(self) -> ViewsItem:
        """In page-locked memory, where the views can be."""
        if not hasattr(self.views, "pin_memory"):
            return self
        return replace(self, views=self.views.pin_memory())


class ViewsSet(Dataset[ViewsItem], ABC):
    """The views of each sample of a test.

    Attributes:
        samples, watchdog: as in TrainingSet.
        indices: places in the list of the samples to show; None: all.
    """

    indices: Sequence[int] | None
    watchdog: Watchdog | None

    @property
    @abstractmethod
    def samples(self) -> SampleList: ...

    @abstractmethod
    def showing(self, samples: Any, *, watchdog: Watchdog | None = None) -> Self:
        """The same views of these samples, a list of the task's kind."""

    def at(self, indices: Sequence[int] | None) -> Self:
        """Of these places in the list alone; None: of all."""
        return replace(cast("Any", self), indices=indices)

    @abstractmethod
    def views_of(self, index: int) -> Any:
        """Of the sample at a place in the list. Raises SampleError if it can't be read."""

    def __len__(self) -> int:
        return len(self.samples) if self.indices is None else len(self.indices)

    def __getitem__(self, position: int) -> ViewsItem:
        index = position if self.indices is None else self.indices[position]
        label = self.samples.label(index)
        try:
            views = watched(self.watchdog, self.views_of, self.samples.path(index), index)
        except SampleError as error:
            return ViewsItem(None, label, index, ((error.path, error.reason),))
        return ViewsItem(views, label, index)
