"""Frames of a video at given indices: the interface of all decoders."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import index as as_int
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from .frame_times import FrameTimes

Take = Callable[[int, np.ndarray], None]
Transform = Callable[[Tensor], Tensor]


# Bytes of frames that are transformed together: one frame of a large video, all of a small one, since
# a call costs as much as scaling a small frame does.
_TOGETHER = 4 << 20


class _Clip:
    """The frames of one clip, transformed and written to their rows as they come."""

    def __init__(self, indices: list[int], transform: Transform | None) -> None:
        self.tensor: Tensor | None = None  # (len(indices), height, width, 3)
        self.rows: dict[int, list[int]] = {}
        for row, number in enumerate(indices):
            self.rows.setdefault(number, []).append(row)
        self._indices = indices
        self._transform = transform
        self._waiting: list[int] = []
        self._buffer: np.ndarray | None = None  # the frames that wait

    def take(self, number: int, picture: np.ndarray) -> None:
        if number not in self.rows:
            return
        if self._transform is None:
            self._write([number], picture[None])
            return
        if self._buffer is None:
            size = max(1, min(len(self.rows), _TOGETHER // picture.nbytes))
            self._buffer = np.empty((size, *picture.shape), dtype=np.uint8)
        self._buffer[len(self._waiting)] = picture
        self._waiting.append(number)
        if len(self._waiting) == len(self._buffer):
            self.transform_waiting()

    def transform_waiting(self) -> None:
        if self._transform is None or self._buffer is None or not self._waiting:
            return
        numbers, self._waiting = self._waiting, []
        frames = self._transform(torch.from_numpy(self._buffer[: len(numbers)]))
        if numbers == self._indices:  # all of them: no need to copy
            self.tensor, self._buffer = frames, None
        else:
            self._write(numbers, frames.numpy())

    def _write(self, numbers: list[int], pictures: np.ndarray) -> None:
        if self.tensor is None:
            shape = (len(self._indices), *pictures.shape[1:])
            self.tensor = torch.empty(shape, dtype=torch.uint8)
        for number, picture in zip(numbers, pictures, strict=True):
            for row in self.rows[number]:
                self.tensor.numpy()[row] = picture


class VideoReader(ABC):
    """An open video; use it as a context manager, or call close().

    Frame k is the k-th frame that decoding from the start to the end shows, whatever the container
    says: what an edit list hides does not count, and a file that was cut off has the frames that
    are whole (MPEG-TS does not tell whether its last one is). Frames are turned the way players
    turn them when the file carries a rotation by a multiple of 90 degrees (or a mirroring). Pixels
    that are not square stay as stored.

    Attributes:
        path: the file.
        num_frames: frames that the video shows, at least 1.
        fps: average frames a second that are shown; as the container states it if its time stamps
            keep to that, or it has none.
        times: seconds from the first frame at which each frame is shown, a sequence.
        height, width: of a frame, in pixels, after any rotation.
    """

    path: str
    num_frames: int
    fps: Fraction

    @property
    @abstractmethod
    def times(self) -> FrameTimes: ...

    @property
    @abstractmethod
    def height(self) -> int: ...

    @property
    @abstractmethod
    def width(self) -> int: ...

    @abstractmethod
    def _decode(self, wanted: list[int], take: Take) -> None:
        """Hand frames to take(number, picture): all of these ascending indices without repeats.

        A picture, uint8 (height, width, 3), is take's only until it returns. Where decoding begins
        again, a frame may come twice.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. May be called again."""

    def frames(self, indices: Sequence[int], transform: Transform | None = None) -> Tensor:
        """Frames at indices, in any order, repeats allowed.

        transform: what is done to frames as soon as some are decoded, so that those of large videos
        are never kept in full size: uint8 (n, height, width, 3) -> (n, new height, new width, 3),
        the same with each, however many come together.

        Returns uint8 (len(indices), height, width, 3), RGB, of the transform's size if there is one.
        Raises IndexError for an index outside [0, num_frames) (negative ones don't count from the
        end), VideoError if one can't be decoded.
        """
        return self.clips([indices], [transform])[0]

    def clips(
        self, clips: Sequence[Sequence[int]], transforms: Sequence[Transform | None]
    ) -> list[Tensor]:
        """As `frames` for each clip and its transform, from one decoding of the frames they share."""
        parts = [
            _Clip([as_int(i) for i in indices], transform)
            for indices, transform in zip(clips, transforms, strict=True)
        ]
        wanted = sorted({number for part in parts for number in part.rows})
        for number in (*wanted[:1], *wanted[-1:]):
            if not 0 <= number < self.num_frames:
                raise IndexError(
                    f"{self.path}: frame {number} of a video of {self.num_frames} frames"
                )

        def take(number: int, picture: np.ndarray) -> None:
            for part in parts:
                part.take(number, picture)

        if wanted:
            self._decode(wanted, take)
        for part in parts:
            part.transform_waiting()
        nothing = torch.empty((0, self.height, self.width, 3), dtype=torch.uint8)
        return [nothing if part.tensor is None else part.tensor for part in parts]

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
