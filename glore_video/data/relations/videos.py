"""A small action data set that the package renders and encodes itself: `relations`.

Two far-apart objects each move left, right, up or down over a textured background; labels.py has the
two labellings. A single frame tells nothing about either label (see video_rendering.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from glore_video.data.relations.data_set import RelationsSet, check_least, render_set
from glore_video.data.relations.labels import Labels
from glore_video.data.relations.video_rendering import DIRECTIONS, check_shape, render_video
from glore_video.video.frame_conversion import FrameConverter


def render_relations(
    root: str | os.PathLike[str],
    *,
    labels: Labels,
    num_train: int = 2000,
    num_val: int = 400,
    seed: int = 0,
    num_frames: int = 12,
    size: int = 64,
    fps: int = 12,
    progress: bool = True,
) -> Path:
    """Render H.264 videos in MP4 into a folder, or reuse it where the same ones are there already.

    See `render_set` for what it then holds.

    Args:
        root: the folder to make; its parents are made too.
        labels: "pair" or "same".
        num_train: videos in the training split, at least 1.
        num_val: videos in the validation split, at least 1.
        seed: non-negative; the same parameters give the same pictures.
        num_frames: frames a video, at least 1.
        size: height and width in pixels, even and at least 48.
        fps: frames a second, at least 1.
        progress: show a progress bar, if on a terminal.

    Returns:
        The folder.

    Raises:
        ValueError: a parameter outside of these limits, or the folder holds something else.
    """
    check_shape(num_frames=num_frames, size=size)
    check_least(fps=(fps, 1))
    data = RelationsSet(
        name="relations",
        format=1,
        labels=labels,
        kinds=DIRECTIONS,
        num_train=num_train,
        num_val=num_val,
        seed=seed,
        suffix=".mp4",
        shape={"num_frames": num_frames, "size": size, "fps": fps},
    )

    def write(path: Path, directions: tuple[str, str], key: list[int]) -> None:
        frames = render_video(directions, seed=key, num_frames=num_frames, size=size)
        _encode(path, frames, fps=fps)

    return render_set(Path(root), data, write, progress=progress)


def _encode(path: Path, frames: NDArray[np.uint8], *, fps: int) -> None:
    """Write uint8 (frames, height, width, 3) as H.264 in MP4."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        stream.codec_context.thread_count = 1
        converter = FrameConverter()
        for array in frames:
            container.mux(stream.encode(converter.from_rgb(array, stream.pix_fmt)))
        container.mux(stream.encode())
