"""Paths kept so that hundreds of thousands cost worker processes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from glore_video.errors import UsageError


class PackedPaths:
    """Paths in two tensors: forked workers share their pages, spawned ones get them in shared memory.

    Args:
        source: the list or folder that they are of, for messages.

    Raises UsageError for letters that file names can't have here.
    """

    def __init__(self, source: Path, paths: Iterable[str]) -> None:
        try:
            encoded = [os.fsencode(path) for path in paths]
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{source}: {error.object!r} has letters that file names can't have here, where the "
                f"system's encoding is {error.encoding}: set PYTHONUTF8=1, or a locale in UTF-8"
            ) from None
        text = np.frombuffer(b"".join(encoded), dtype=np.uint8).copy()
        self._text = torch.from_numpy(text)  # (bytes of all paths,)
        self._ends = torch.tensor([len(path) for path in encoded], dtype=torch.int64).cumsum(0)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        # Views are made anew each time: sending a tensor to a spawned worker moves its memory.
        ends = self._ends.numpy()
        start = 0 if index == 0 else int(ends[index - 1])
        return os.fsdecode(self._text.numpy()[start : int(ends[index])].tobytes())
