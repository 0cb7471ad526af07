"""How fast training samples are read, and what the time goes into."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from glore_video.data.batches import Batch

_AS_FAST = 0.95


class EpochOrder(Protocol):
    """What the loader takes its batches from."""

    epoch: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which functions of a data set read a sample.

    Attributes:
        opening: opens a file; None: it is opened where it is decoded.
        decoding: gets pixels from it; None: samples are in no files.
        faster: what a user may do where reading takes most of the time.
    """

    opening: Callable[..., Any] | None = None
    decoding: Callable[..., Any] | None = None
    faster: str


@dataclass(frozen=True)
class Shares:
    """Milliseconds that one sample takes in one process, by what is done with it.

    Attributes:
        sample: what it is called.
        faster: see Reading.
    """

    opening: float
    decoding: float
    transforms: float
    sample: str = "sample"
    faster: str = "smaller samples are read faster"

    @property
    def total(self) -> float:
        return self.opening + self.decoding + self.transforms

    def __str__(self) -> str:
        parts = [
            f"{name} {100 * value / self.total:.0f}%"
            for name, value in self._parts.items()
            if self.total and (value or name != "opening")
        ]
        return f"{self.total:.1f} ms a {self.sample} in one process: {', '.join(parts)}"

    @property
    def _parts(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("opening", "decoding", "transforms")}


def inputs_per_second(loader: DataLoader[Any], order: EpochOrder, *, num_batches: int) -> float:
    """Inputs that the loader gives a second once all its workers run; nothing is done with them.

    A first batch of each worker is not counted. Epochs follow one another as in training.

    Args:
        num_batches: to time; rounded up to as many for each worker.
    """
    workers = max(1, loader.num_workers)
    timed = -(-num_batches // workers) * workers
    inputs = 0
    start = time.perf_counter()
    source = _endless(loader, order)
    name = f"{loader.num_workers} workers"
    for number in tqdm(range(workers + timed), desc=name, leave=False, disable=None):
        batch = next(source)
        if number < workers:
            start = time.perf_counter()
        elif batch.inputs is not None:
            inputs += len(batch.inputs)
    return inputs / (time.perf_counter() - start)


def _endless(loader: DataLoader[Any], order: EpochOrder) -> Iterator[Batch]:
    epoch = 0
    while True:
        order.epoch = epoch
        yield from loader
        epoch += 1


def reading_shares(
    dataset: Dataset[Any], keys: Iterable[Any], reading: Reading, *, sample: str
) -> Shares:
    """Read the items at `keys` in this process, and see which functions took the time.

    What is neither opening a file nor getting pixels from it counts as transforms.

    Args:
        sample: what one is called.
    """
    keys = list(keys)
    profile = cProfile.Profile()
    start = time.perf_counter()
    with profile:
        for key in tqdm(keys, desc="one process", leave=False, disable=None):
            dataset[key]
    seconds = time.perf_counter() - start
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    opening, decoding = (_seconds(stats, each) for each in (reading.opening, reading.decoding))
    scale = 1000 / max(1, len(keys))
    return Shares(
        opening * scale,
        decoding * scale,
        max(0.0, seconds - opening - decoding) * scale,
        sample,
        reading.faster,
    )


def _seconds(
    stats: Mapping[tuple[str, int, str], Sequence[Any]], function: Callable[..., Any] | None
) -> float:
    """Within the function and all that it called."""
    if function is None:
        return 0.0
    code = function.__code__
    entry = stats.get((code.co_filename, code.co_firstlineno, code.co_name))
    return float(entry[3]) if entry else 0.0


def advice_line(
    speeds: Mapping[int, float], shares: Shares, *, cores: int, inputs: str = "clips"
) -> str:
    """What to set, from inputs a second by number of workers (at least one, not all zero)."""
    best = max(speeds.values())
    fewest = min(number for number, speed in speeds.items() if speed >= _AS_FAST * best)
    line = f"DATA_LOADER.NUM_WORKERS {fewest} gives {speeds[fewest]:.0f} {inputs}/s"
    if fewest == max(speeds) and fewest < cores:
        line += f", and more may give more: this process may use {cores} cores (--workers)"
    elif fewest < max(speeds):
        line += ", and more give no more"
    if shares.opening + shares.decoding > 0.5 * shares.total:
        line += f"; most of the time is reading: {shares.faster}"
    elif shares.total:
        line += "; most of the time is transforms: see the AUG keys and DATA.TRAIN_JITTER_SCALES"
    return line
