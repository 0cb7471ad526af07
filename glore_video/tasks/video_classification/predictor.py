"""What a network that classifies videos makes of one: see tasks/predictor.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.inspection.adjacency_chart import draw_adjacency
from glore_video.tasks.classification.prediction import Prediction
from glore_video.tasks.predictor import AnyPath, Exhibit, Progress, Report
from glore_video.tasks.video_classification.clip_predictor import ClipPredictor
from glore_video.tasks.video_classification.example import example_frames
from glore_video.tasks.video_classification.inspection import VideoLook, look
from glore_video.tasks.video_classification.inspection_pictures import (
    activity_chart,
    film_of,
    sheet_of,
)
from glore_video.tasks.video_classification.live import watch
from glore_video.tasks.video_classification.served import analyse, refuse_video
from glore_video.tasks.video_classification.timeline_files import write_annotated, write_timeline
from glore_video.tasks.video_classification.windows import Timeline, window_timeline


@dataclass(frozen=True, kw_only=True)
class VideoPredictor(ClipPredictor):
    """A network in eval mode and how it is shown a video. See FilmPredictor."""

    @property
    def words(self) -> str:
        return self.views.words

    @property
    def settings(self) -> str:
        each = self.views
        views = (each.sampling, each.num_clips, each.num_crops, each.spacing, each.short_side)
        colours = (each.crop_size, self.normalize.mean, self.normalize.std)
        return repr((views, colours, self.class_names, each.damaged))

    def with_views(
        self, *, num_clips: int = 0, num_crops: int = 0, flips: bool | None = None
    ) -> VideoPredictor:
        """Raises UsageError for numbers that can't be, and for flips."""
        if flips is not None:
            raise UsageError("flips are views of pictures, and the network takes clips of videos")
        changes: dict[str, Any] = {"num_clips": num_clips, "num_crops": num_crops}
        changes = {key: value for key, value in changes.items() if value}
        return replace(self, views=replace(self.views, **changes))

    def look(
        self,
        path: AnyPath,
        *,
        target: int | None = None,
        prediction: Prediction | None = None,
        most_clips: int = 12,
        cam: bool = True,
        layer: str = "",
        progress: Progress | None = None,
    ) -> VideoLook:
        """See `look` in inspection.py."""
        return look(
            path,
            self,
            target=target,
            prediction=prediction,
            most_clips=most_clips,
            cam=cam,
            layer=layer,
            progress=progress,
        )

    def pictures(self, seen: VideoLook, unit: str, nodes: Sequence[int]) -> dict[str, Image.Image]:
        """A sheet of maps over frames, the nodes' adjacency and their activity over time."""
        views = self.views
        sheet = sheet_of(
            seen, unit, nodes, self.class_names, backend=views.backend, damaged=views.damaged
        )
        if not unit:
            return {"sheet": sheet}
        return {
            "sheet": sheet,
            "adjacency": draw_adjacency(seen.clips[0].units[unit].adjacency, title=unit),
            "activity": activity_chart(seen, unit, nodes),
        }

    def film(
        self,
        seen: VideoLook,
        unit: str,
        nodes: Sequence[int],
        path: AnyPath,
        *,
        progress: Progress | None = None,
    ) -> None:
        views = self.views
        film_of(
            seen,
            unit,
            nodes,
            self.class_names,
            path,
            backend=views.backend,
            damaged=views.damaged,
            progress=progress,
        )

    def timeline(
        self,
        path: AnyPath,
        *,
        window: float = 0.0,
        hop: float = 0.0,
        progress: Progress | None = None,
    ) -> Timeline:
        """See `window_timeline`."""
        return window_timeline(path, self, window=window, hop=hop, progress=progress)

    def write_timeline(self, timeline: Timeline, path: AnyPath) -> None:
        write_timeline(timeline, path)

    def write_annotated(
        self, timeline: Timeline, path: AnyPath, *, k: int = 3, progress: Progress | None = None
    ) -> None:
        backend, damaged = self.views.backend, self.views.damaged
        write_annotated(timeline, path, k=k, backend=backend, damaged=damaged, progress=progress)

    def watch(
        self,
        frames: Iterable[tuple[float, np.ndarray]],
        *,
        fps: Fraction,
        every: float = 1.0,
        k: int = 5,
    ) -> Iterator[tuple[float, list[tuple[str, float]]]]:
        """See `watch` in live.py."""
        return watch(frames, self, fps=fps, every=every, k=k)

    def example(
        self,
        path: AnyPath | None = None,
        *,
        size: tuple[int, int] | None = None,
        frames: int = 0,
    ) -> Tensor:
        """(1, 3, frames, size, size): frames all over the video, a square of its middle.

        Raises UsageError for a size that is no square.
        """
        height, width = size or (self.views.crop_size, self.views.crop_size)
        if height != width:
            raise UsageError(f"clips are squares of their frames, not {height} x {width}")
        count = frames or self.views.sampling.num_frames
        shown = example_frames(path, count, height)
        return self.input(shown).contiguous()  # as files of networks take them

    @property
    def exhibit(self) -> Exhibit:
        return Exhibit(
            question="What happens in this video?",
            accept="video/*,.mkv,.avi,.ts,.mts,.flv,.wmv",
            file="film.mp4",
            media_type="video/mp4",
            most_pixels=4096 * 2304,
        )

    def refuse(self, path: str, run: Any, *, seconds: float, pixels: int) -> str:
        return refuse_video(path, run, seconds=seconds, pixels=pixels)

    def show(self, path: AnyPath, exhibit: Path, *, name: str, report: Report) -> dict[str, Any]:
        """See `analyse`."""
        return analyse(path, self, exhibit, name=name, report=report)
