"""A video segmented frame by frame: a film in the colours of its classes, and a table of their shares."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.errors import UsageError
from glore_video.files.csv_cells import protected
from glore_video.files.whole_files import whole_file
from glore_video.reports.score_panel import draw_scores, rows_that_fit
from glore_video.tasks.predictor import AnyPath, Progress
from glore_video.tasks.segmentation.segmented import Segmented, SegmentedPicture
from glore_video.video import open_video
from glore_video.video.passing import all_frames
from glore_video.video.writing import VideoWriter

_FIRST = ("frame", "seconds")


def write_segmented_film(
    path: AnyPath,
    film: AnyPath,
    *,
    table: AnyPath,
    classes: MaskClasses,
    segment: Callable[[Tensor], SegmentedPicture],
    k: int,
    progress: Progress | None = None,
) -> Segmented:
    """The video, without its sound, in its classes' colours, with the largest classes of each frame named.

    Frames keep their times; memory is that of a few of them.

    Args:
        film: mp4 to write.
        table: CSV to write: number and time of each frame (seconds), and its pixels' share of each class.
        segment: of a frame uint8 (1, height, width, 3).
        k: how many classes are named, as far as there is room.

    Returns:
        The mean shares over the frames.

    Raises:
        VideoError: the video can't be read, or the film not be written.
        UsageError: the table is there and is something else.
    """
    film, table = Path(film), Path(table)
    if table.exists() and not _is_ours(table):
        raise UsageError(f"{table}: there, but not written by this; name another file")
    for each in (film, table):
        each.parent.mkdir(parents=True, exist_ok=True)
    total = np.zeros(len(classes))
    with (
        open_video(path) as video,
        whole_file(table) as rows,
        VideoWriter(film, fps=video.fps, times=video.times) as writer,
    ):
        named = min(k, rows_that_fit(video.height, video.width))
        rows.write(_line(*_FIRST, *map(protected, classes.names)))
        for number, frame in all_frames(video):
            seconds = float(video.times[number])
            seen = segment(torch.from_numpy(frame)[None])
            total += seen.shares
            rows.write(_line(number, f"{seconds:.6f}", *(f"{each:.6f}" for each in seen.shares)))
            writer.write(_drawn(seen, named, seconds)[None])
            if progress is not None:
                progress(number + 1, video.num_frames)
        shares = total / video.num_frames
    return Segmented(str(path), classes, tuple(shares.tolist()))


def _drawn(seen: SegmentedPicture, named: int, seconds: float) -> np.ndarray:
    """uint8 (height, width, 3). Names stand in the classes' order, so that they don't jump about."""
    if not named:
        return seen.overlay
    numbers = sorted(seen.largest(named))
    drawn = draw_scores(
        seen.overlay,
        [(seen.classes.names[number], seen.shares[number]) for number in numbers],
        note=f"{seconds:.1f} s",
        colours=[seen.classes.colours[number] for number in numbers],
    )
    return np.ascontiguousarray(drawn)


def _is_ours(table: Path) -> bool:
    first = _line(*_FIRST).rstrip()
    with table.open("rb") as file:
        return file.read(len(first)) == first


def _line(*cells: object) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
