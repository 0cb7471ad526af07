"""Which samples which process reads, in which order: batches of an epoch, and shards of a list."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from glore_video.errors import UsageError


class TrainingBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) keys for one process.

    The order of an epoch is a permutation of the list, drawn from (seed, epoch). Global batch b
    is its b-th run of `batch_size` samples, of which process `rank` takes every `world_size`-th:
    the batches of a step, put together, are the same at any number of processes. The samples that
    do not fill a last batch wait for another epoch.

    Args:
        noun: what samples are called in errors.

    Attributes:
        epoch, first: which epoch the next iteration gives, and from which batch on.

    Raises ValueError if batch_size is not a multiple of world_size or exceeds the list.
    """

    def __init__(
        self,
        num_samples: int,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        noun: str = "samples",
    ) -> None:
        if batch_size % world_size:
            raise UsageError(
                f"TRAIN.BATCH_SIZE = {batch_size} can't be shared evenly by {world_size} processes"
            )
        if batch_size > num_samples:
            raise UsageError(
                f"TRAIN.BATCH_SIZE = {batch_size} is more than the {num_samples} training {noun}"
            )
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.first = 0

    @property
    def steps_per_epoch(self) -> int:
        return self.num_samples // self.batch_size

    @property
    def follows_from(self) -> dict[str, int]:
        """What the order of an epoch follows from, by name."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "num_samples": self.num_samples,
        }

    def __len__(self) -> int:
        return self.steps_per_epoch - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.num_samples, generator=generator)
        for number in range(self.first, self.steps_per_epoch):
            start = number * self.batch_size
            batch = order[start : start + self.batch_size][self.rank :: self.world_size]
            yield [(self.epoch, index) for index in batch.tolist()]


def shard(num_samples: int, *, rank: int, world_size: int) -> range:
    """The samples that process `rank` tests: every one exactly once over all processes."""
    return range(rank, num_samples, world_size)
