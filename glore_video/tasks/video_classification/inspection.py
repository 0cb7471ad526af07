"""Where a network looks, all along a video: its units and Grad-CAM, clip after clip."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.inspection.grad_cam import grad_cam
from glore_video.inspection.look import Look
from glore_video.inspection.overlay import visible_square
from glore_video.inspection.projection import UnitInspection, inspect_units
from glore_video.models import glore_units
from glore_video.pixels.transforms import centre_crop, resize_short_side, to_clip
from glore_video.tasks.classification.prediction import Prediction
from glore_video.tasks.classification.ranking import predicted_classes
from glore_video.tasks.video_classification.clip_predictor import ClipPredictor
from glore_video.tasks.video_classification.windows import consecutive_starts
from glore_video.video import FrameTimes, clip_indices, open_video, playback, span


@dataclass(frozen=True)
class ClipLook:
    """What was seen of one clip.

    Attributes:
        start, end: first frame, and frame after the last, of the time that the maps stand for.
        frames: those of the clip.
        seconds: when the first of them begins and the last one ends.
        units: path -> what the unit did.
        cam: Grad-CAM, (t, h, w); None if it was not asked for.
    """

    start: int
    end: int
    frames: tuple[int, ...]
    seconds: tuple[float, float]
    units: dict[str, UnitInspection]
    cam: Tensor | None


@dataclass(frozen=True, kw_only=True)
class VideoLook(Look):
    """What was seen of a video.

    Attributes:
        times: when its frames are shown.
        square: top, left and side of what the maps show, in pixels of the video.
        clips: in order of time.
    """

    times: FrameTimes
    square: tuple[int, int, int]
    clips: tuple[ClipLook, ...]

    @property
    def inputs(self) -> list[dict[str, UnitInspection]]:
        return [clip.units for clip in self.clips]

    @property
    def words(self) -> str:
        return f"{len(self.clips)} clips"

    def activity(self, unit: str) -> tuple[list[float], Tensor]:
        """Seconds, and the nodes' mean |B| at them, (nodes, times).

        Of a few clips every time step, of six or more each clip's mean.
        """
        times: list[float] = []
        for clip in self.clips:
            steps = clip.units[unit].activity.shape[1]
            first, last = clip.seconds
            times += [first + (i + 0.5) * (last - first) / steps for i in range(steps)]
        values = torch.cat([clip.units[unit].activity for clip in self.clips], dim=1)
        if len(self.clips) >= 6:
            steps = len(times) // len(self.clips)
            values = values.unflatten(1, (-1, steps)).mean(2)
            times = [sum(times[i : i + steps]) / steps for i in range(0, len(times), steps)]
        order = sorted(range(len(times)), key=times.__getitem__)
        return [times[i] for i in order], values[:, order]


def look(
    path: str | os.PathLike[str],
    predictor: ClipPredictor,
    *,
    target: int | None = None,
    prediction: Prediction | None = None,
    most_clips: int = 12,
    cam: bool = True,
    layer: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> VideoLook:
    """Grad-CAM and what GloRe units do, in the centre view of clips that cover a video end to end.

    What happens in the video is said by `predict`, from the views of a test: the same video and
    network have the same probabilities there and here.

    Args:
        path: video file.
        predictor: a network; without GloRe units there is Grad-CAM alone.
        target: class; by default the most probable one.
        prediction: what `predict` said of this video and network, if it was asked already.
        most_clips: of a longer video so many, spread over it.
        cam, layer: whether to compute Grad-CAM, and of which layer; see `grad_cam`.
        progress: called with the number of clips done and that of all.

    Raises:
        VideoError: if the video can't be read.
        UsageError: if the network has no GloRe unit and `cam` is False, for an unknown class or
            layer, or if its scores are not finite.
    """
    has_units = bool(glore_units(predictor.network))
    if not (has_units or cam):
        raise UsageError(
            "the network has no GloRe unit, so without Grad-CAM nothing is left to see"
        )
    probabilities = (prediction or predictor.predict(path)).probabilities
    scores = torch.tensor(probabilities, dtype=torch.float64)
    chosen = int(predicted_classes(scores)) if target is None else target
    if not 0 <= chosen < len(probabilities):
        raise UsageError(f"target must be a class in 0..{len(probabilities) - 1}, got {target}")
    with open_video(
        path, backend=predictor.views.backend, damaged=predictor.views.damaged
    ) as video:
        times = video.times
        played = playback(times, predictor.views.sampling)
        count, fps = len(played), played.fps
        starts = consecutive_starts(count, predictor.views.sampling, fps, most_clips)
        places = [clip_indices(start, count, predictor.views.sampling, fps) for start in starts]
        scale = partial(_square, predictor=predictor)
        inputs = [to_clip(video.frames(played.frames(each), scale)) for each in places]
        square = visible_square(
            video.height,
            video.width,
            short_side=predictor.views.short_side,
            crop_size=predictor.views.crop_size,
        )
    covered = float(span(predictor.views.sampling, fps))
    middles = [start + covered / 2 for start in starts]
    inner = played.frames(round((a + b) / 2) for a, b in pairwise(middles))
    edges = [0, *inner, len(times)]
    clips = []
    for number, clip in enumerate(inputs):
        network_input = predictor.input(clip)
        units: dict[str, UnitInspection] = {}
        if has_units:
            units = inspect_units(predictor.network, network_input, target=chosen).units
        heat = None
        if cam:
            heat = grad_cam(predictor.network, network_input, target=chosen, layer=layer)
        shown = places[number]
        clips.append(
            ClipLook(
                edges[number],
                edges[number + 1],
                tuple(played.frames(shown)),
                (float(played.seconds(shown[0])), float(played.seconds(shown[-1] + 1))),
                units,
                heat,
            )
        )
        if progress is not None:
            progress(number + 1, len(inputs))
    return VideoLook(
        path=os.fspath(path),
        target=chosen,
        probability=probabilities[chosen],
        times=times,
        square=square,
        clips=tuple(clips),
    )


def _square(frames: Tensor, *, predictor: ClipPredictor) -> Tensor:
    """uint8 (frames, height, width, 3) -> the centre view, uint8 (frames, crop, crop, 3)."""
    return centre_crop(
        resize_short_side(frames, predictor.views.short_side), predictor.views.crop_size
    )
