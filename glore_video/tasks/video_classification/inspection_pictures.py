"""Pictures and films of where a network looked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glore_video.choices import Backend, Damaged
from glore_video.inspection.overlay import from_zero, relative, upsample
from glore_video.inspection.sheet import SheetRow, draw_sheet, tile_film
from glore_video.pixels.transforms import crop
from glore_video.reports.line_chart import draw_lines
from glore_video.tasks.video_classification.inspection import ClipLook, VideoLook
from glore_video.video import open_video
from glore_video.video.writing import VideoWriter

_PIXELS = 224  # of a map over a frame


def sheet_of(
    look: VideoLook,
    unit: str,
    nodes: Sequence[int],
    class_names: Sequence[str],
    *,
    backend: Backend = "pyav",
    damaged: Damaged = "error",
    columns: int = 8,
) -> Image.Image:
    """Nodes x frames of the clip in the middle of the video, Grad-CAM last.

    An empty `unit`, of a network without any, leaves Grad-CAM alone.
    """
    clip = look.clips[len(look.clips) // 2]
    places = _spread(len(clip.frames), columns)
    indices = [clip.frames[place] for place in places]
    with open_video(look.path, backend=backend, damaged=damaged) as video:
        pictures = video.frames(indices, partial(_small_square, square=look.square))
    rows = [SheetRow("frames", "")]
    middle = f"the middle one of {len(look.clips)} clips"
    subtitle = f"Grad-CAM of {middle}"
    if unit:
        seen = clip.units[unit]
        weights = upsample(relative(seen.maps[list(nodes)]), len(clip.frames), _PIXELS, _PIXELS)
        rows = [SheetRow("frames", _counted(seen.maps.shape))]
        for node, each in zip(nodes, weights[:, places].numpy(), strict=True):
            rows.append(
                SheetRow(f"node {node}", f"{seen.importance[node]:+.2g} in this clip", each)
            )
        subtitle = (
            f"projection maps of {unit}, {middle}; "
            "orange above, blue below the node's median weight"
        )
    if clip.cam is not None:
        heat = upsample(from_zero(clip.cam)[None], len(clip.frames), _PIXELS, _PIXELS)
        rows.append(SheetRow("Grad-CAM", "for comparison" if unit else "", heat[0, places].numpy()))
    return draw_sheet(
        pictures.numpy(),
        rows,
        title=f"{Path(look.path).name}: {class_names[look.target]} {100 * look.probability:.1f}%",
        subtitle=subtitle,
        times=[float(look.times[index]) for index in indices],
    )


def film_of(
    look: VideoLook,
    unit: str,
    nodes: Sequence[int],
    class_names: Sequence[str],
    path: str | os.PathLike[str],
    *,
    backend: Backend = "pyav",
    damaged: Damaged = "error",
    progress: Callable[[int, int], None] | None = None,
    most_frames: int = 1800,
) -> None:
    """All frames of the video (the first `most_frames`), bare, under each node's map, under Grad-CAM.

    An empty `unit`, of a network without any, leaves Grad-CAM alone.
    """
    total = min(len(look.times), most_frames)
    columns = 3 if len(nodes) > 1 else 2
    with (
        open_video(look.path, backend=backend, damaged=damaged) as video,
        VideoWriter(path, fps=look.times.fps, times=look.times) as writer,
    ):
        for clip in look.clips:
            stop = min(clip.end, total)
            for start in range(clip.start, stop, 64):
                indices = list(range(start, min(start + 64, stop)))
                square = video.frames(indices, partial(_small_square, square=look.square))
                rows = [SheetRow(f"{class_names[look.target]} {100 * look.probability:.0f}%", "")]
                shown = [
                    float(look.times.start_of(i) + look.times.start_of(i + 1)) / 2 for i in indices
                ]
                if unit:
                    maps = map_frames(clip, clip.units[unit].maps[list(nodes)], shown)
                    for node, each in zip(nodes, maps, strict=True):
                        note = f"{clip.units[unit].importance[node]:+.2g}"
                        rows.append(SheetRow(f"node {node}", note, each))
                if clip.cam is not None:
                    heat = map_frames(clip, from_zero(clip.cam)[None], shown, plain=True)
                    rows.append(SheetRow("Grad-CAM", "", heat[0]))
                writer.write(tile_film(square.numpy(), rows, columns=columns))
                if progress is not None:
                    progress(indices[-1] + 1, total)


def activity_chart(look: VideoLook, unit: str, nodes: Sequence[int]) -> Image.Image:
    """How strongly the nodes gather, over the time of the video."""
    times, values = look.activity(unit)
    scores = look.importance(unit)
    return draw_lines(
        times,
        [values[node].tolist() for node in nodes],
        [f"node {node}  ({scores[node]:+.2g})" for node in nodes],
        title=f"{Path(look.path).name}: activity of nodes",
        subtitle=f"mean |projection weight| over the picture, {unit}; in brackets the importance",
    )


def map_frames(
    clip: ClipLook, maps: Tensor, seconds: Sequence[float], *, plain: bool = False
) -> np.ndarray:
    """Maps of a clip at times of the video: (nodes, t, h, w) -> (nodes, times, pixels, pixels)."""
    shown = maps if plain else relative(maps)
    steps = shown.shape[1]
    fine = upsample(shown, steps, _PIXELS, _PIXELS)
    first, last = clip.seconds
    at = torch.tensor([(each - first) / (last - first) * steps - 0.5 for each in seconds])
    at = at.clamp(0, steps - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=steps - 1)
    part = (at - low)[None, :, None, None]
    return (fine[:, low] * (1 - part) + fine[:, high] * part).numpy()


def _spread(total: int, most: int) -> list[int]:
    if total <= most:
        return list(range(total))
    return [round(i * (total - 1) / (most - 1)) for i in range(most)]


def _counted(shape: Sequence[int]) -> str:
    return f"{shape[0]} nodes, {' x '.join(str(size) for size in shape[1:])}"


def _small_square(frames: Tensor, *, square: tuple[int, int, int]) -> Tensor:
    """Frames of the video -> what the network saw of them, in as many pixels as the maps have."""
    top, left, side = square
    pictures = [
        np.asarray(Image.fromarray(each).resize((_PIXELS, _PIXELS), Image.Resampling.BICUBIC))
        for each in crop(frames, top, left, side, side).numpy()
    ]
    return torch.from_numpy(np.stack(pictures))
