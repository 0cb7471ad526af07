"""Loaders whose workers' errors are raised as they were there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from glore_video.data.batches import collate
from glore_video.data.reading_workers import (
    Watched,
    ending_its_worker,
    reading_context,
    start_worker,
)
from glore_video.data.samplers import TrainingBatches
from glore_video.data.watchdog import is_timeout
from glore_video.errors import SampleError
from glore_video.processes.records import behind, open_records


def samples_loader(
    dataset: Dataset[Any],
    *,
    num_workers: int,
    pin_memory: bool,
    batches: TrainingBatches | None = None,
    sampler: range | None = None,
    batch_size: int = 1,
    stop_on_timeout: bool = False,
    interleaved: bool = False,
) -> DataLoader[Any]:
    """A loader of Batch: by `batches` for training, or by `sampler` and batch_size.

    With stop_on_timeout it raises SampleError for a sample that a Watchdog gave up. An error in a
    worker is raised at once, whatever other workers do. For `interleaved` see collate.
    """
    order: dict[str, Any] = (
        {"batch_sampler": batches}
        if batches is not None
        else {"sampler": sampler, "batch_size": batch_size}
    )
    samples = batches.batch_size // batches.world_size if batches is not None else batch_size
    return _SampleLoader(
        dataset,
        collate_fn=partial(collate, interleaved=interleaved),
        stop_on_timeout=stop_on_timeout,
        **order,
        **_workers(num_workers, pin_memory=pin_memory, patience=_patience(dataset, samples)),
    )


def views_loader(
    dataset: Dataset[Any],
    *,
    num_workers: int,
    pin_memory: bool = False,
    stop_on_timeout: bool = False,
) -> DataLoader[Any]:
    """A loader of the items of one sample at a time, in order. See samples_loader for stop_on_timeout."""
    return _SampleLoader(
        dataset,
        batch_size=None,
        collate_fn=_first,
        stop_on_timeout=stop_on_timeout,
        **_workers(num_workers, pin_memory=pin_memory, patience=_patience(dataset, 1)),
    )


class _SampleLoader(DataLoader[Any]):
    """Raises errors of its workers as they were there."""

    def __init__(
        self,
        dataset: Dataset[Any],
        *,
        collate_fn: Callable[[Any], Any],
        stop_on_timeout: bool,
        **options: Any,
    ) -> None:
        super().__init__(
            Watched(dataset), collate_fn=partial(ending_its_worker, collate_fn), **options
        )
        self._stop_on_timeout = stop_on_timeout

    def __iter__(self) -> Any:
        try:
            for batch in super().__iter__():
                if self._stop_on_timeout:
                    for path, reason in batch.failures:
                        if is_timeout(reason):
                            raise SampleError(path, reason)
                yield batch
        except Exception as error:
            found = behind(error)
            if found is error:
                raise
            raise found from found.__cause__


def _first(item: Any) -> Any:
    return item


def _patience(dataset: Dataset[Any], samples: int) -> float:
    """Seconds within which some worker must give a batch of so many samples; 0: no limit.

    The Watchdog of a worker has given up one sample after the other by then: the worker hangs itself.
    """
    watchdog = getattr(dataset, "watchdog", None)
    return 60 + (1 + samples) * watchdog.seconds if watchdog is not None else 0.0


def _workers(num_workers: int, *, pin_memory: bool, patience: float) -> dict[str, Any]:
    common = {
        "num_workers": num_workers,
        "pin_memory": pin_memory and torch.cuda.is_available(),
        # Its own, or workers that start would draw from the generator that dropout draws from.
        "generator": torch.Generator(),
    }
    if not num_workers:
        return common
    return {
        **common,
        "multiprocessing_context": reading_context(),
        "persistent_workers": True,
        "worker_init_fn": partial(start_worker, open_records()),
        "timeout": patience,
    }
