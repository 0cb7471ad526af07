"""The drawings of a folder's predictions: a folder like it, a drawing for each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glore_video.tasks.predictor import DrawingPredictor

_SUFFIX = ".jpg"


class Drawings:
    """Where drawings go, and which are there.

    Args:
        predictor: draws.
        source: the folder of the files.
        folder: of the drawings; made when the first is written.
        paths: all files. A drawing has its file's name without the suffix; with it, if two files of a
            folder have the same name otherwise.
    """

    def __init__(
        self, predictor: DrawingPredictor, source: Path, folder: Path, paths: Sequence[str]
    ) -> None:
        self.folder = folder
        self._predictor = predictor
        self._source = source
        self._whole = len({os.path.splitext(path)[0] for path in paths}) < len(paths)

    def place(self, path: str) -> Path:
        """Of the drawing of a file."""
        inside = os.path.relpath(path, self._source)
        stem = inside if self._whole else os.path.splitext(inside)[0]
        return self.folder / f"{stem}{_SUFFIX}"

    def are_there(self, path: str) -> bool:
        return all(each.is_file() for each in self._predictor.drawn(self.place(path)))

    def write(self, prediction: Any, path: str) -> None:
        self._predictor.draw(prediction, self.place(path))

    def write_key(self) -> Path:
        """What the colours mean, once for all; returns its path."""
        key = self.folder / "colours.png"
        self._predictor.draw_key(key)
        return key
