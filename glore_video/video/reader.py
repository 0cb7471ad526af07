"""Frames of a video at given indices: the interface of all decoders."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from operator import index as as_int
from types import TracebackType

import torch
from torch import Tensor

from .frame_times import FrameTimes


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
    def _decode(self, wanted: list[int]) -> Tensor:
        """uint8 (len(wanted), height, width, 3) for ascending indices without repeats."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. May be called again."""

    def frames(self, indices: Sequence[int]) -> Tensor:
        """Frames at indices, in any order, repeats allowed.

        Returns uint8 (len(indices), height, width, 3), RGB. Raises IndexError for an index outside
        [0, num_frames) (negative ones don't count from the end), VideoError if one can't be
        decoded.
        """
        numbers = [as_int(i) for i in indices]
        for number in numbers:
            if not 0 <= number < self.num_frames:
                raise IndexError(
                    f"{self.path}: frame {number} of a video of {self.num_frames} frames"
                )
        if not numbers:
            return torch.empty((0, self.height, self.width, 3), dtype=torch.uint8)
        wanted = sorted(set(numbers))
        decoded = self._decode(wanted)  # (wanted, height, width, 3)
        if wanted == numbers:
            return decoded
        place = {number: i for i, number in enumerate(wanted)}
        return decoded[[place[number] for number in numbers]]

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
