"""Frames of a camera, as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import VideoError
from .frame_conversion import FrameConverter
from .pyav_file import fraction, open_device, reason

_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class Camera:
    """An open camera; use it as a context manager.

    Args:
        device: its number, counted from 0, or the system's name for it.
        format: FFmpeg's name of the input; the system's own for cameras by default.

    Attributes:
        path: the system's name for the device.
        fps: frames a second, as the camera promises them.

    Raises:
        VideoError: if there is no such camera, or it gives no pictures.
    """

    def __init__(self, device: int | str, *, format: str = "") -> None:
        self.path = _name(device)
        kind = format or next((f for s, f in _FORMATS.items() if sys.platform.startswith(s)), "")
        if not format and kind == "v4l2" and not Path(self.path).exists():
            there = ", ".join(sorted(str(each) for each in Path("/dev").glob("video*")))
            raise VideoError(self.path, f"no such camera; {there or 'this machine has none'}")
        try:
            self._container = open_device(self.path, kind or None)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(self.path, f"can't be opened as a camera: {reason(error)}") from None
        stream = self._container.streams.best("video")
        if stream is None:
            self._container.close()
            raise VideoError(self.path, "gives no pictures")
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._converter = FrameConverter()
        self.fps = fraction(stream.average_rate or stream.guessed_rate or 30)

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Seconds since the first frame, and uint8 (height, width, 3); until the camera ends."""
        first: float | None = None
        number = 0
        try:
            for frame in self._container.decode(self._stream):
                if not isinstance(frame, VideoFrame):
                    continue
                seconds = frame.time if frame.time is not None else float(number / self.fps)
                first = seconds if first is None else first
                number += 1
                yield seconds - first, self._converter.to_rgb(frame).copy()
        except av.error.FFmpegError as error:
            raise VideoError(self.path, f"the camera stopped: {reason(error)}") from None

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _name(device: int | str) -> str:
    if isinstance(device, str) and not device.isdigit():
        return device
    return f"/dev/video{device}" if sys.platform.startswith("linux") else str(device)
