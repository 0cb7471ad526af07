"""The samples of one split, kept so that hundreds of thousands cost worker processes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from glore_video.data.packed_paths import PackedPaths
from glore_video.errors import Failure, UsageError


class SampleList:
    """Paths and labels, in the order of the list.

    Everything that grows with the list lies in a few tensors. Worker processes that are forked
    share their pages, those that are spawned get them in shared memory.

    Attributes:
        source: the list file or the folder.
        left_out: samples that are known to be unreadable; they have no place in the list.
        notes: what else the user should know of how the list came about, a line each.
    """

    def __init__(
        self,
        source: Path,
        paths: Iterable[str],
        labels: Sequence[int],
        *,
        left_out: Sequence[Failure] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.left_out = tuple(left_out)
        self.notes = tuple(notes)
        self._paths = PackedPaths(source, paths)
        self._labels = torch.tensor(labels, dtype=torch.int64)  # (samples,)
        if len(self._paths) != len(self._labels):
            raise UsageError(f"{len(self._paths)} paths, but {len(self._labels)} labels")

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> np.ndarray:
        """int64 (samples,), a copy."""
        return self._labels.numpy().copy()

    def path(self, index: int) -> str:
        return self._paths[index]

    def paths(self) -> Iterator[str]:
        return (self.path(index) for index in range(len(self)))

    def label(self, index: int) -> int:
        return int(self._labels[index])
