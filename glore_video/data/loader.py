"""Which videos which process reads, and how their items become batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from glore_video.data.reading_workers import reading_context, start_worker
from glore_video.data.video.video_list import Failure
from glore_video.data.watchdog import is_timeout
from glore_video.errors import UsageError
from glore_video.processes.carried_errors import Reports, raise_in_place_of
from glore_video.tasks.video_classification.dataset import ClipItem
from glore_video.video.errors import VideoError


@dataclass(frozen=True)
class ClipBatch:
    """Clips of one step.

    Attributes:
        clips: uint8 (clips, 3, frames, height, width), the clips of a video one after the other;
            None if no video of the batch was readable.
        labels: int64 (clips,).
        indices: places of the videos in their list, one a video: clip number c is of video
            c // clips_a_video.
        failures: unreadable videos, each (path, reason).
    """

    clips: Tensor | None
    labels: Tensor
    indices: tuple[int, ...]
    failures: tuple[Failure, ...]

    @property
    def clips_a_video(self) -> int:
        """1 without repeated augmentation."""
        return len(self.labels) // max(1, len(self.indices))

    def pin_memory(self) -> ClipBatch:
        if self.clips is None:
            return self
        return replace(self, clips=self.clips.pin_memory(), labels=self.labels.pin_memory())


def collate(items: Sequence[ClipItem]) -> ClipBatch:
    """Put the clips that could be read into one batch."""
    good = [(item, item.clips) for item in items if item.clips is not None]
    labels = [item.label for item, clips in good for _ in clips]
    return ClipBatch(
        clips=torch.cat([clips for _, clips in good]) if good else None,
        labels=torch.tensor(labels, dtype=torch.int64),
        indices=tuple(item.index for item, _ in good),
        failures=tuple(failure for item in items for failure in item.failures),
    )


class TrainingBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) keys for one process.

    The order of an epoch is a permutation of the list, drawn from (seed, epoch). Global batch b
    is its b-th run of `batch_size` videos, of which process `rank` takes every `world_size`-th:
    the batches of a step, put together, are the same at any number of processes. The videos that
    do not fill a last batch wait for another epoch.

    Attributes:
        epoch, first: which epoch the next iteration gives, and from which batch on.

    Raises ValueError if batch_size is not a multiple of world_size or exceeds the list.
    """

    def __init__(
        self, num_videos: int, *, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if batch_size % world_size:
            raise UsageError(
                f"TRAIN.BATCH_SIZE = {batch_size} can't be shared evenly by {world_size} processes"
            )
        if batch_size > num_videos:
            raise UsageError(
                f"TRAIN.BATCH_SIZE = {batch_size} is more than the {num_videos} training videos"
            )
        self.num_videos = num_videos
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.first = 0

    @property
    def batches_an_epoch(self) -> int:
        return self.num_videos // self.batch_size

    def __len__(self) -> int:
        return self.batches_an_epoch - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.num_videos, generator=generator)
        for number in range(self.first, self.batches_an_epoch):
            start = number * self.batch_size
            batch = order[start : start + self.batch_size][self.rank :: self.world_size]
            yield [(self.epoch, index) for index in batch.tolist()]


def shard(num_videos: int, *, rank: int, world_size: int) -> range:
    """The videos that process `rank` tests: every one exactly once over all processes."""
    return range(rank, num_videos, world_size)


class ShardSampler(Sampler[int]):
    """The places of `shard` in order, for validation."""

    def __init__(self, indices: range) -> None:
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)


def clip_loader(
    dataset: Dataset[ClipItem],
    *,
    num_workers: int,
    pin_memory: bool,
    batches: TrainingBatches | None = None,
    sampler: ShardSampler | None = None,
    batch_size: int = 1,
    stop_on_timeout: bool = False,
) -> DataLoader[Any]:
    """A loader of ClipBatch: by `batches` for training, or by `sampler` and batch_size.

    With stop_on_timeout it raises VideoError for a video that a Watchdog gave up. An error in a
    worker is raised at once, whatever other workers do.
    """
    order: dict[str, Any] = (
        {"batch_sampler": batches}
        if batches is not None
        else {"sampler": sampler, "batch_size": batch_size}
    )
    videos = batches.batch_size // batches.world_size if batches is not None else batch_size
    return _VideoLoader(
        dataset,
        collate_fn=collate,
        stop_on_timeout=stop_on_timeout,
        **order,
        **_workers(num_workers, pin_memory=pin_memory, patience=_patience(dataset, videos)),
    )


def views_loader(
    dataset: Dataset[Any], *, num_workers: int, stop_on_timeout: bool = False
) -> DataLoader[Any]:
    """A loader of ViewsItem, one video at a time, in order. See clip_loader for stop_on_timeout."""
    return _VideoLoader(
        dataset,
        batch_size=None,
        collate_fn=_first,
        stop_on_timeout=stop_on_timeout,
        **_workers(num_workers, pin_memory=False, patience=_patience(dataset, 1)),
    )


class _VideoLoader(DataLoader[Any]):
    """Raises errors of its workers as they were there."""

    def __init__(self, dataset: Dataset[Any], *, stop_on_timeout: bool, **options: Any) -> None:
        super().__init__(dataset, **options)
        self._stop_on_timeout = stop_on_timeout

    def __iter__(self) -> Any:
        batches = None
        while True:
            try:
                batches = batches or super().__iter__()
                batch = next(batches)
            except StopIteration:
                return
            except Exception as error:
                raise_in_place_of(error)
            if self._stop_on_timeout:
                for path, reason in batch.failures:
                    if is_timeout(reason):
                        raise VideoError(path, reason)
            yield batch


def _first(item: Any) -> Any:
    return item


def _patience(dataset: Dataset[Any], videos: int) -> float:
    """Seconds within which some worker must give a batch of so many videos; 0: no limit.

    The Watchdog of a worker has given up one video after the other by then: the worker hangs itself.
    """
    watchdog = getattr(dataset, "watchdog", None)
    return 60 + (1 + videos) * watchdog.seconds if watchdog is not None else 0.0


def _workers(num_workers: int, *, pin_memory: bool, patience: float) -> dict[str, Any]:
    common = {
        "num_workers": num_workers,
        "pin_memory": pin_memory and torch.cuda.is_available(),
        # Its own, or workers that start would draw from the generator that dropout draws from.
        "generator": torch.Generator(),
    }
    if not num_workers:
        return common
    context = reading_context()
    return {
        **common,
        "multiprocessing_context": context,
        "persistent_workers": True,
        "worker_init_fn": partial(start_worker, Reports(context.SimpleQueue())),
        "timeout": patience,
    }
