"""Frames of a video at given indices: the interface of all decoders, and the one way to open one."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import index as as_int
from types import TracebackType
from typing import Literal, get_args

import torch
from torch import Tensor

from .errors import VideoError
from .video_index import FileStamp, VideoIndex

Backend = Literal["pyav", "decord", "torchcodec"]
Damaged = Literal["error", "use_prefix"]


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
        fps: average frames a second, as the container states it.
        height, width: of a frame, in pixels, after any rotation.
    """

    path: str
    num_frames: int
    fps: Fraction

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


def _check_file(path: str) -> None:
    """Raise VideoError unless path is a regular file with something in it; a pipe would hang."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise VideoError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise VideoError(path, getattr(error, "strerror", None) or str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(path, "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(path, "is not a regular file")
    if status.st_size == 0:
        raise VideoError(path, "the file is empty")


def open_video(
    path: str | os.PathLike[str],
    *,
    backend: Backend = "pyav",
    index: VideoIndex | None = None,
    damaged: Damaged = "error",
) -> VideoReader:
    """Open a video file.

    backend: "pyav" decodes with PyAV. "decord" and "torchcodec" decode with the package of that
    name, which must be installed, the files that it reads right, and the others with PyAV. All
    give the same frames.

    index: of this file, from `read_index`, saves demuxing the file once more. One of another file,
    or of another state of this one, is noticed and not used.

    damaged: what a file that was cut off, or can't be decoded to its end, gives. "error" raises
    VideoError, which says how many frames are whole: at once if the damage is known from the
    packets or the index, otherwise when frames are wanted that can't be decoded. With "use_prefix"
    num_frames counts the frames before the damage that is known. Damage that only decoding finds
    still raises VideoError then; from there on num_frames is smaller, so that other frames can be
    chosen.

    Raises VideoError if there is no such file, or it holds no video that can be read; ValueError
    for an unknown backend or policy; ImportError if the backend's package is not installed.
    """
    _check_choice("backend", backend, get_args(Backend))
    _check_choice("damaged", damaged, get_args(Damaged))
    name = os.fspath(path)
    open_file: Callable[..., VideoReader]
    # Decoders are imported when the first video is opened, so that this package is light to import.
    if backend == "decord":
        from .decord_backend import open_decord

        open_file = open_decord
    elif backend == "torchcodec":
        from .torchcodec_backend import open_torchcodec

        open_file = open_torchcodec
    else:
        from .pyav_backend import PyavReader

        open_file = PyavReader
    _check_file(name)
    if index is not None and index.file != FileStamp.of(name):
        index = None
    return open_file(name, index=index, damaged=damaged)


def read_index(path: str | os.PathLike[str], *, decode: bool = False) -> VideoIndex:
    """Find out what a video holds, with PyAV, for `open_video` to use later.

    decode: decode every frame and note how far that goes; otherwise only if the packets don't tell
    the frames (MPEG-TS and others). An index of a damaged file says so in `damage`.

    Raises VideoError if there is no such file, or not one frame of it can be decoded.
    """
    name = os.fspath(path)
    from .indexing import make_index

    _check_file(name)
    return make_index(name, decode=decode)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
