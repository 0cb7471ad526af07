"""Frames -> a video file that players and browsers show."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from torch import Tensor

from glore_video.errors import UsageError

from .errors import VideoError
from .frame_conversion import FrameConverter
from .frame_times import FrameTimes
from .pyav_file import reason

_TIME_BASE = Fraction(1, 60000)  # seconds; MPEG-4 has no finer one


class VideoWriter:
    """Writes an mp4 without sound, H.264 where this FFmpeg has an encoder for it, else MPEG-4.

    The file appears under its name when the `with` block ends without an error; else nothing stays.

    Args:
        path: file to write.
        fps: frames a second, above 0.
        times: of the frames, the first that is written being frame 0; those of a variable frame rate
            are shown at them.

    Raises:
        VideoError: if the file can't be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: Fraction | float,
        times: FrameTimes | None = None,
    ) -> None:
        if not fps > 0:
            raise UsageError(f"fps must be above 0, got {fps}")
        self.path = Path(path)
        self._fps = Fraction(fps).limit_denominator(60000)
        self._times = None if times is None or times.steady else times
        self._written = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp.mp4")
        self._container: Any = None
        self._stream: Any = None
        self._converter = FrameConverter()

    def write(self, frames: Tensor | np.ndarray) -> None:
        """uint8 (frames, height, width, 3), RGB, all of one size; an odd last row or column is cut."""
        array = frames.numpy() if isinstance(frames, Tensor) else frames
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
            raise UsageError(
                f"frames must be uint8 (frames, height, width, 3), got {array.dtype} {array.shape}"
            )
        height, width = (size - size % 2 for size in array.shape[1:3])
        if self._stream is None:
            self._start(height, width)
        if (self._stream.height, self._stream.width) != (height, width):
            raise UsageError(f"frames of {width}x{height} pixels after others of another size")
        for picture in array[:, :height, :width]:
            frame = self._converter.from_rgb(picture, self._stream.pix_fmt)
            if self._times is not None:
                frame.pts = round(self._times.start_of(self._written) / _TIME_BASE)
                frame.time_base = _TIME_BASE
            self._written += 1
            self._container.mux(self._stream.encode(frame))

    def _start(self, height: int, width: int) -> None:
        if min(height, width) < 2:
            raise UsageError(f"frames of at least 2x2 pixels are needed, got {width}x{height}")
        options = {"movflags": "+faststart"}
        try:
            self._container = av.open(f"file:{self._temporary}", "w", options=options)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(self.path, f"can't be written: {reason(error)}") from None
        if "libx264" in av.codecs_available:
            self._stream = self._container.add_stream("libx264", rate=self._fps)
            self._stream.options = {"crf": "21", "preset": "veryfast"}
        else:
            self._stream = self._container.add_stream("mpeg4", rate=self._fps)
            self._stream.options = {"q:v": "4"}
        if self._times is not None:
            self._stream.codec_context.time_base = _TIME_BASE
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = "yuv420p"

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._container is not None:
                if kind is None:
                    self._container.mux(self._stream.encode())
                self._container.close()
                if kind is None:
                    os.replace(self._temporary, self.path)
        except (av.error.FFmpegError, OSError) as failure:
            if kind is None:
                raise VideoError(self.path, f"can't be written: {reason(failure)}") from None
        finally:
            self._temporary.unlink(missing_ok=True)
