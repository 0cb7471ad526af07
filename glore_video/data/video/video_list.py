"""A list of videos: its samples, and what is kept of where the frames of each lie in its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from glore_video.data.samples import SampleList
from glore_video.errors import Failure
from glore_video.video.video_index import VideoIndex


class VideoList(SampleList):
    """Paths and labels, in the order of the list; from a manifest also kept indices."""

    def __init__(
        self,
        source: Path,
        paths: Iterable[str],
        labels: Sequence[int],
        *,
        left_out: Sequence[Failure] = (),
        notes: Sequence[str] = (),
        index_file: str | Path | None = None,
        index_places: Sequence[tuple[int, int]] = (),
    ) -> None:
        """
        Args:
            index_file: file with the indices of the videos, one after the other.
            index_places: for each video where its index begins in that file, and how many bytes
                it has (0: none is kept).
        """
        super().__init__(source, paths, labels, left_out=left_out, notes=notes)
        self._index_file = None if index_file is None else os.fspath(index_file)
        self._index_places = torch.tensor(index_places, dtype=torch.int64).view(-1, 2)

    @classmethod
    def of(cls, samples: SampleList) -> VideoList:
        """The same list, of which no index is kept; it shares the memory of the other one."""
        videos = cls(samples.source, (), (), left_out=samples.left_out, notes=samples.notes)
        videos._paths, videos._labels = samples._paths, samples._labels
        return videos

    def index(self, index: int) -> VideoIndex | None:
        """What is kept about this video; None if there is nothing that can be read."""
        if self._index_file is None:
            return None
        offset, size = self._index_places[index].tolist()
        if not size:
            return None
        try:
            with open(self._index_file, "rb") as file:
                file.seek(offset)
                return VideoIndex.from_bytes(file.read(size))
        except (OSError, ValueError):
            return None  # opening the video finds out again what it needs
