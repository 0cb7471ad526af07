"""A small action dataset that the package renders and encodes itself: `relations`.

Two far-apart objects each move left, right, up or down over a textured background. The same kind
of video bears one of two labellings:

- pair: which two directions, in any order (10 classes). Seeing each object on its own is enough.
- same: whether both move the same way (2 classes). Both directions are uniform in either class,
  so adding up what is seen at each place tells nothing: distant places must be related.

A single frame tells nothing about either label (see rendering.py).
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Literal, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from glore_video.data.relations.rendered_folder import (
    appearing_whole,
    is_complete,
    write_lines,
)
from glore_video.data.relations.rendering import DIRECTIONS, check_shape, render_video
from glore_video.errors import UsageError
from glore_video.processes.cpus import usable_cpus
from glore_video.video.frame_conversion import FrameConverter

__all__ = ["class_names", "directions_and_label", "render_relations", "render_video"]

Labels: TypeAlias = Literal["pair", "same"]

_FORMAT = 1  # raised when the same parameters would give other videos
_PAIRS = tuple(combinations_with_replacement(DIRECTIONS, 2))


def class_names(labels: Labels) -> list[str]:
    """Class names in the order of the labels: 10 of `pair`, 2 of `same`."""
    _check_labels(labels)
    if labels == "pair":
        return [f"{first}_{second}" for first, second in _PAIRS]
    return ["different", "same"]


def directions_and_label(
    labels: Labels, index: int, rng: np.random.Generator
) -> tuple[tuple[str, str], int]:
    """Directions of the two objects in video `index` of a split, and the video's label.

    Labels take turns, so a split is balanced to within one video. In `same`, either class goes in
    turn through its pairs of directions; 24 videos in a row hold every case equally often.
    """
    _check_labels(labels)
    if labels == "pair":
        label = index % len(_PAIRS)
        pair = _PAIRS[label]
    else:
        label = index % 2
        ways = [(d, d) for d in DIRECTIONS] if label else list(combinations(DIRECTIONS, 2))
        pair = ways[index // 2 % len(ways)]
    return (pair if rng.random() < 0.5 else pair[::-1]), label


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
    """Render the dataset into a folder, or reuse it where the same one is there already.

    The folder then holds H.264 videos `<split>/<class>/<number>.mp4`; `train.csv`, `val.csv` and
    `test.csv` (lines of `path label`, paths relative to the folder; test repeats val);
    `class_names.txt` (a name a line, in the order of the labels); and `relations.json`, the
    parameters. It appears under its name only once complete; an interrupted run leaves nothing.

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
        ValueError: a parameter outside of these limits, or the folder holds something else: other
            parameters, an incomplete set, or files that are no relations dataset.
    """
    root = Path(root)
    check_shape(num_frames=num_frames, size=size)
    _check_least(num_train=(num_train, 1), num_val=(num_val, 1), fps=(fps, 1), seed=(seed, 0))
    parameters: dict[str, object] = {
        "dataset": "relations",
        "format": _FORMAT,
        "labels": labels,
        "class_names": class_names(labels),
        "num_train": num_train,
        "num_val": num_val,
        "seed": seed,
        "num_frames": num_frames,
        "size": size,
        "fps": fps,
    }
    if is_complete(root, parameters):
        return root
    with appearing_whole(root, parameters) as partial:
        for split, count in (("train", num_train), ("val", num_val)):
            lines = _render_split(
                partial,
                split=split,
                count=count,
                labels=labels,
                seed=seed,
                num_frames=num_frames,
                size=size,
                fps=fps,
                progress=progress,
            )
            write_lines(partial / f"{split}.csv", lines)
        shutil.copyfile(partial / "val.csv", partial / "test.csv")
        write_lines(partial / "class_names.txt", class_names(labels))
    return root


def _check_least(**values: tuple[int, int]) -> None:
    """Of each name its value and the least that it may be."""
    for name, (value, least) in values.items():
        if value < least:
            raise UsageError(f"{name} is {value}, but must be at least {least}")


def _check_labels(labels: str) -> None:
    if labels not in ("pair", "same"):
        raise UsageError(f"labels is {labels!r}, but must be 'pair' or 'same'")


def _render_split(
    folder: Path,
    *,
    split: str,
    count: int,
    labels: Labels,
    seed: int,
    num_frames: int,
    size: int,
    fps: int,
    progress: bool,
) -> list[str]:
    """Render and encode one split; return the lines of its list file."""
    names = class_names(labels)
    for name in names:
        (folder / split / name).mkdir(parents=True, exist_ok=True)

    def render(index: int) -> str:
        key = [seed, ("train", "val").index(split), index]
        directions, label = directions_and_label(labels, index, np.random.default_rng([*key, 1]))
        path = f"{split}/{names[label]}/{index:06d}.mp4"
        frames = render_video(directions, seed=key, num_frames=num_frames, size=size)
        _encode(folder / path, frames, fps=fps)
        return f"{path} {label}"

    # The encoder releases the GIL, and threads, unlike processes, need nothing of the caller.
    executor = ThreadPoolExecutor(min(4, usable_cpus()))
    try:
        lines = executor.map(render, range(count))
        return list(
            tqdm(lines, total=count, desc=f"render {split}", disable=None if progress else True)
        )
    finally:
        executor.shutdown(cancel_futures=True)


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
