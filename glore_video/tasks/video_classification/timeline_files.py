"""A timeline as a picture, a page, or a film with the names of what happens in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from glore_video.choices import Backend, Damaged
from glore_video.files.suffixes import check_suffix
from glore_video.files.whole_files import replace_file
from glore_video.reports.drawing import save
from glore_video.reports.line_chart import draw_lines
from glore_video.reports.pages import render
from glore_video.reports.score_panel import draw_scores
from glore_video.tasks.video_classification.windows import Timeline
from glore_video.video import open_video
from glore_video.video.passing import all_frames
from glore_video.video.writing import VideoWriter


def write_timeline(timeline: Timeline, path: str | os.PathLike[str], *, k: int = 5) -> None:
    """The k strongest classes over time, as a .png or as a .html that needs no network."""
    check_suffix(path, (".png", ".html"), "a timeline")
    path = Path(path)
    if path.suffix.lower() == ".html":
        replace_file(path, page(timeline, k=k), f".{os.getpid()}")
        return
    labels = timeline.strongest(k)
    windows = timeline.windows
    seconds = windows[0].end - windows[0].start
    picture = draw_lines(
        [(window.start + window.end) / 2 for window in windows],
        [[window.probabilities[label] for window in windows] for label in labels],
        [timeline.class_names[label] for label in labels],
        title=Path(timeline.path).name,
        subtitle=f"{len(windows)} windows of {seconds:.1f} s",
        top=1.0,
        percent=True,
    )
    save(picture, path)


def page(timeline: Timeline, *, k: int = 5) -> bytes:
    """A page as UTF-8: a strip for each class, a cell for each window."""
    windows = timeline.windows
    rows = []
    for label in timeline.strongest(k):
        values = [window.probabilities[label] for window in windows]
        mean, most = sum(values) / len(values), max(values)
        rows.append(
            {"label": label, "name": timeline.class_names[label], "mean": mean, "most": most}
        )
    return render(
        "timeline.html",
        name=Path(timeline.path).name,
        duration=timeline.duration,
        seconds=windows[0].end - windows[0].start,
        windows=windows,
        rows=rows,
    )


def write_annotated(
    timeline: Timeline,
    path: str | os.PathLike[str],
    *,
    k: int = 3,
    backend: Backend = "pyav",
    damaged: Damaged = "error",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """The video, without its sound, with the k most probable classes of each moment in it.

    Raises VideoError if the video can't be read or the film not be written.
    """
    with (
        open_video(timeline.path, backend=backend, damaged=damaged) as video,
        VideoWriter(path, fps=video.fps, times=video.times) as writer,
    ):
        for index, picture in all_frames(video):
            seconds = float(video.times[index])
            drawn = draw_scores(picture, timeline.top(seconds, k), note=f"{seconds:.1f} s")
            writer.write(np.ascontiguousarray(drawn)[None])
            if progress is not None:
                progress(index + 1, video.num_frames)
