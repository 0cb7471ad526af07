"""A timeline as a picture, a page, or a film with the names of what happens in it."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from glore_video.choices import Backend, Damaged
from glore_video.errors import UsageError
from glore_video.files.whole_files import replace_file
from glore_video.reports.drawing import save
from glore_video.reports.line_chart import draw_lines
from glore_video.reports.score_panel import draw_scores
from glore_video.tasks.video_classification.windows import Timeline
from glore_video.video import open_video
from glore_video.video.writing import VideoWriter

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c1e24;--pale:#707580;--cell:#eef0f4;--hot:213,94,0}
@media(prefers-color-scheme:dark){:root{--paper:#15171c;--ink:#e8eaf0;--pale:#9aa0ad;--cell:#23262e;--hot:240,130,40}}
body{font:15px/1.4 system-ui,sans-serif;background:var(--paper);color:var(--ink);margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.2rem;overflow-wrap:anywhere}p{color:var(--pale)}
.row{margin:.7rem 0}.name{display:flex;justify-content:space-between;gap:1rem}.name span{color:var(--pale)}
.cells{display:flex;height:1.6rem;background:var(--cell);border-radius:.25rem;overflow:hidden}
.cells i{flex:1;min-width:0}.axis{display:flex;justify-content:space-between;color:var(--pale);font-size:.8rem}
"""

_BATCH = 400 << 20  # bytes of frames that are decoded at once for a film


def check_timeline_path(path: str | os.PathLike[str]) -> None:
    """Raises ValueError unless its suffix is one that `write_timeline` writes."""
    if Path(path).suffix.lower() not in (".png", ".html"):
        raise UsageError(f"{os.fspath(path)}: a timeline is a .png or a .html file")


def write_timeline(timeline: Timeline, path: str | os.PathLike[str], *, k: int = 5) -> None:
    """The k strongest classes over time, as a .png or as a .html that needs no network."""
    check_timeline_path(path)
    path = Path(path)
    if path.suffix.lower() == ".html":
        replace_file(path, page(timeline, k=k).encode(errors="replace"), f".{os.getpid()}")
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


def page(timeline: Timeline, *, k: int = 5) -> str:
    """A page: a strip for each class, a cell for each window."""
    name = html.escape(Path(timeline.path).name)
    windows = timeline.windows
    rows = []
    for label in timeline.strongest(k):
        values = [window.probabilities[label] for window in windows]
        cells = "".join(
            f'<i style="background:rgba(var(--hot),{value:.3f})" '
            f'title="{window.start:.1f} to {window.end:.1f} s: {100 * value:.1f}%"></i>'
            for window, value in zip(windows, values, strict=True)
        )
        rows.append(
            f'<div class="row"><div class="name">{html.escape(timeline.class_names[label])}'
            f"<span>mean {100 * sum(values) / len(values):.0f}%, most {100 * max(values):.0f}%"
            f'</span></div><div class="cells">{cells}</div></div>'
        )
    seconds = windows[0].end - windows[0].start
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{name}</h1>"
        f"<p>{len(windows)} windows of {seconds:.1f} s over {timeline.duration:.1f} s</p>"
        f"{''.join(rows)}"
        f'<div class="axis"><span>0 s</span><span>{timeline.duration:.1f} s</span></div></html>\n'
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
        times = video.times
        size = max(1, min(32, _BATCH // (3 * video.height * video.width)))
        for start in range(0, video.num_frames, size):
            indices = list(range(start, min(start + size, video.num_frames)))
            for index, picture in zip(indices, video.frames(indices).numpy(), strict=True):
                seconds = float(times[index])
                drawn = draw_scores(picture, timeline.top(seconds, k), note=f"{seconds:.1f} s")
                writer.write(np.ascontiguousarray(drawn)[None])
            if progress is not None:
                progress(indices[-1] + 1, video.num_frames)
