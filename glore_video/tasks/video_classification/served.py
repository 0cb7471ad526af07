"""What `serve` shows of a video, as plain values for JSON, and a film to play; what it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from glore_video.errors import SampleError
from glore_video.inspection.page_maps import units_for_page
from glore_video.models import glore_units
from glore_video.pixels.transforms import resize_short_side
from glore_video.tasks.predictor import Report
from glore_video.tasks.video_classification.clip_predictor import ClipPredictor
from glore_video.tasks.video_classification.inspection import VideoLook, look
from glore_video.tasks.video_classification.windows import Timeline, window_timeline
from glore_video.video import VideoError, VideoIndex, open_video, read_index
from glore_video.video.writing import VideoWriter

_CLASSES, _NODES, _CLIPS = 5, 6, 16
_SHORT_SIDE, _FPS = 360, 15


def analyse(
    path: str | os.PathLike[str],
    predictor: ClipPredictor,
    film: Path,
    *,
    name: str,
    report: Report = lambda stage, share: None,
) -> dict[str, Any]:
    """Predict, slide a window, look, and write `film` for browsers.

    Args:
        path: the video.
        predictor: the network.
        film: mp4 to write.
        name: what to call the video.
        report: called with what is being done and how much of it is, 0..1.

    Returns:
        name, duration (seconds), size (width, height), top, timeline, and look (None for networks
        without GloRe units).

    Raises:
        VideoError: if the video can't be read.
    """

    def stage(words: str) -> Callable[[int, int], None]:
        report(words, 0.0)
        return lambda done, total: report(words, done / max(1, total))

    stage("predicting")
    prediction = predictor.predict(path)
    timeline = window_timeline(path, predictor, progress=stage("sliding a window"))
    seen = None
    if glore_units(predictor.network):
        seen = look(
            path,
            predictor,
            prediction=prediction,
            most_clips=_CLIPS,
            cam=False,
            progress=stage("looking closer"),
        )
    size = write_film(path, predictor, film, progress=stage("preparing the film"))
    return {
        "name": name,
        "duration": timeline.duration,
        "size": size,
        "top": [{"name": label, "probability": value} for label, value in prediction.top(_CLASSES)],
        "timeline": _timeline(timeline),
        "look": None if seen is None else _look(seen, predictor, size),
    }


def refuse_video(path: str, run: Callable[..., Any], *, seconds: float, pixels: int) -> str:
    """See Predictor.refuse: what packets tell first, and then whether all of it can be decoded."""

    def index(*, decode: bool) -> VideoIndex:
        found = VideoIndex.from_bytes(run(_read, path, decode))
        if found.damage:
            raise VideoError(path, f"{found.damage}; {found.num_frames} frames are whole")
        return found

    try:
        found = index(decode=False)
        if found.duration > seconds:
            return f"the video is {found.duration:.0f} s long; {seconds:g} s are the most"
        if found.width * found.height > pixels:
            return f"frames of {found.width} x {found.height} pixels are too large"
        index(decode=True)
    except SampleError as error:
        return f"this is not a video that can be read: {error.reason}"
    return ""


def _read(path: str, decode: bool) -> bytes:
    return read_index(path, decode=decode).to_bytes()


def write_film(
    path: str | os.PathLike[str],
    predictor: ClipPredictor,
    film: Path,
    *,
    progress: Callable[[int, int], None],
) -> tuple[int, int]:
    """The video as a small mp4 that every browser plays, and its width and height."""
    with open_video(
        path, backend=predictor.views.backend, damaged=predictor.views.damaged
    ) as video:
        played = video.times.played_at(Fraction(_FPS))
        every = max(1, round(played.fps / _FPS))
        side = min(_SHORT_SIDE, video.height, video.width)
        wanted = played.frames(range(0, len(played), every))
        with VideoWriter(film, fps=played.fps / every) as writer:
            for start in range(0, len(wanted), 32):
                frames = video.frames(
                    wanted[start : start + 32], partial(resize_short_side, short_side=side)
                )
                writer.write(frames)
                progress(start + len(frames), len(wanted))
        return video.width, video.height


def _timeline(timeline: Timeline) -> dict[str, Any]:
    labels = timeline.strongest(_CLASSES)
    return {
        "classes": [timeline.class_names[label] for label in labels],
        "windows": [
            {
                "start": window.start,
                "end": window.end,
                "probabilities": [round(window.probabilities[label], 4) for label in labels],
            }
            for window in timeline.windows
        ],
    }


def _look(seen: VideoLook, predictor: ClipPredictor, size: tuple[int, int]) -> dict[str, Any]:
    top, left, side = seen.square
    width, height = size
    return {
        "class": predictor.class_names[seen.target],
        "probability": seen.probability,
        "square": [left / width, top / height, side / width, side / height],
        "clips": [
            {
                "start": float(seen.times.start_of(clip.start)),
                "end": float(seen.times.start_of(clip.end)),
                "first": clip.seconds[0],
                "last": clip.seconds[1],
            }
            for clip in seen.clips
        ],
        "units": units_for_page(seen, _NODES),
    }
