"""How fast training clips are read, and what the time goes into."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from glore_video.data.batches import Batch
from glore_video.video import VideoReader, open_video

_AS_FAST = 0.95


class EpochOrder(Protocol):
    """What the loader takes its batches from."""

    epoch: int


@dataclass(frozen=True)
class Shares:
    """Milliseconds that one video takes in one process, by what is done with it."""

    opening: float
    decoding: float
    transforms: float

    @property
    def total(self) -> float:
        return self.opening + self.decoding + self.transforms

    def __str__(self) -> str:
        parts = [
            f"{name} {100 * value / self.total:.0f}%"
            for name, value in vars(self).items()
            if self.total
        ]
        return f"{self.total:.1f} ms a video in one process: {', '.join(parts)}"


def clips_per_second(loader: DataLoader[Any], order: EpochOrder, *, num_batches: int) -> float:
    """Clips that the loader gives a second once all its workers run; nothing is done with them.

    A first batch of each worker is not counted. Epochs follow one another as in training.

    Args:
        num_batches: to time; rounded up to as many for each worker.
    """
    workers = max(1, loader.num_workers)
    timed = -(-num_batches // workers) * workers
    clips = 0
    start = time.perf_counter()
    source = _endless(loader, order)
    name = f"{loader.num_workers} workers"
    for number in tqdm(range(workers + timed), desc=name, leave=False, disable=None):
        batch = next(source)
        if number < workers:
            start = time.perf_counter()
        elif batch.inputs is not None:
            clips += len(batch.inputs)
    return clips / (time.perf_counter() - start)


def _endless(loader: DataLoader[Any], order: EpochOrder) -> Iterator[Batch]:
    epoch = 0
    while True:
        order.epoch = epoch
        yield from loader
        epoch += 1


def reading_shares(dataset: Dataset[Any], keys: Iterable[Any]) -> Shares:
    """Read the items at `keys` in this process, and see which functions took the time.

    What is neither opening a file nor getting frames from it counts as transforms.
    """
    keys = list(keys)
    profile = cProfile.Profile()
    start = time.perf_counter()
    with profile:
        for key in tqdm(keys, desc="one process", leave=False, disable=None):
            dataset[key]
    seconds = time.perf_counter() - start
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    opening, decoding = (_seconds(stats, code) for code in (_code(open_video), _code(_FRAMES)))
    scale = 1000 / max(1, len(keys))
    return Shares(opening * scale, decoding * scale, max(0.0, seconds - opening - decoding) * scale)


_FRAMES = VideoReader.frames


def _code(function: Callable[..., Any]) -> CodeType:
    return function.__code__


def _seconds(stats: Mapping[tuple[str, int, str], Sequence[Any]], code: CodeType) -> float:
    """Within the function and all that it called."""
    entry = stats.get((code.co_filename, code.co_firstlineno, code.co_name))
    return float(entry[3]) if entry else 0.0


def advice_line(speeds: Mapping[int, float], shares: Shares, *, cores: int) -> str:
    """What to set, from clips a second by number of workers (at least one, not all zero)."""
    best = max(speeds.values())
    fewest = min(number for number, speed in speeds.items() if speed >= _AS_FAST * best)
    line = f"DATA_LOADER.NUM_WORKERS {fewest} gives {speeds[fewest]:.0f} clips/s"
    if fewest == max(speeds) and fewest < cores:
        line += f", and more may give more: this process may use {cores} cores (--workers)"
    elif fewest < max(speeds):
        line += ", and more give no more"
    if shares.opening + shares.decoding > 0.5 * shares.total:
        line += (
            "; most of the time is reading: see glore-video check-data for what smaller files with "
        )
        line += "shorter GOPs would save"
    elif shares.total:
        line += "; most of the time is transforms: see the AUG keys and DATA.TRAIN_JITTER_SCALES"
    return line
