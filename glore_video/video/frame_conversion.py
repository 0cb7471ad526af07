"""Pixel format conversion and scaling of frames (FFmpeg's swscale), always with one thread.

From PyAV 19 on `VideoFrame.reformat` and `to_ndarray` scale with as many threads as there are cores,
in one converter that all frames of a Python thread share. A process that is forked afterwards has
that converter without its threads, and waits for them for ever, whatever number of threads it asks
for. So nothing else in this package calls them, and encoders are given frames that are ready. (Up to
PyAV 18 threads only double what the colours of a frame of Kinetics' size cost.)
"""

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


class FrameConverter:
    """Converts frames, one after the other; of one size and format is the cheapest."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(
        self,
        frame: VideoFrame,
        format: str,
        *,
        width: int | None = None,
        height: int | None = None,
        interpolation: str = "BILINEAR",
    ) -> VideoFrame:
        """The frame in FFmpeg's pixel format of that name, of its own size if none is given.

        Its time stays with it. A frame that is so already is returned as it is.
        """
        wanted: dict[str, Any] = {"format": format, "interpolation": interpolation}
        return self._reformatter.reformat(frame, width, height, threads=1, **wanted)

    def to_rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """uint8 (height, width, 3), as stored; a view of the converted frame's memory."""
        plane = self.convert(frame, "rgb24").planes[0]
        memory = np.frombuffer(plane, dtype=np.uint8)  # type: ignore[call-overload, unused-ignore]
        lines = memory.reshape(plane.height, plane.line_size)
        return lines[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)

    def from_rgb(self, picture: NDArray[np.uint8], format: str) -> VideoFrame:
        """A frame for an encoder, of uint8 (height, width, 3)."""
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        return self.convert(frame, format)
