"""A video list with clip sampling, reader and transforms -> clips for training, views for testing.

Everything stays uint8 here; the engine normalises on the device. Training draws depend on
(seed, epoch, position in the list) alone, never on the number of workers or processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from glore_video.datasets.annotations import VideoList
from glore_video.video import (
    Backend,
    ClipSampling,
    VideoError,
    VideoReader,
    ViewSpacing,
    centre_crop,
    centre_start,
    clip_indices,
    crop,
    horizontal_flip,
    num_starts,
    open_video,
    resize_short_side,
    to_clip,
    uniform_crop_boxes,
    view_starts,
)

Failure = tuple[str, str]  # path, reason


@dataclass(frozen=True)
class ClipItem:
    """One clip, or why there is none.

    Attributes:
        clip: uint8 (3, frames, height, width); None if no video could be read.
        label: class of the video that the clip is from.
        index: its place in the list.
        failures: videos that were tried and could not be read, each (path, reason).
    """

    clip: Tensor | None
    label: int
    index: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class VideoViews:
    """All views of one video: its distinct frames, decoded and scaled once, and where views lie.

    Attributes:
        frames: uint8 (distinct frames, height, width, 3).
        clips: for each clip, the places of its frames in `frames`.
        crops: (top, left) of each crop; a view is a clip and a crop, clips in the outer order.
        crop_size: side of a crop, pixels.
    """

    frames: Tensor
    clips: tuple[tuple[int, ...], ...]
    crops: tuple[tuple[int, int], ...]
    crop_size: int

    def __len__(self) -> int:
        return len(self.clips) * len(self.crops)

    def view(self, number: int) -> Tensor:
        """uint8 (3, frames, crop_size, crop_size)."""
        clip, position = divmod(number, len(self.crops))
        top, left = self.crops[position]
        window = crop(self.frames, top, left, self.crop_size, self.crop_size)
        return to_clip(window[list(self.clips[clip])])

    def batches(self, size: int) -> Iterator[Tensor]:
        """uint8 (at most size, 3, frames, crop_size, crop_size), all views in order."""
        for start in range(0, len(self), size):
            yield torch.stack([self.view(n) for n in range(start, min(start + size, len(self)))])


@dataclass(frozen=True)
class ViewsItem:
    """The views of the video at `index` in the list, or why there are none."""

    views: VideoViews | None
    label: int
    index: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingClips(Dataset[ClipItem]):
    """Random clips: start, short side, crop and mirror drawn anew for each (epoch, index).

    A video that can't be read is replaced by another one of the list with its own label; the item
    names every failure.

    Args:
        short_sides: least and greatest short side, pixels, both included.
        inverse_uniform: draw 1 / short side evenly instead of the short side.
        flip: mirror every second clip.
        attempts: videos to try before the item has no clip.
    """

    videos: VideoList
    sampling: ClipSampling
    short_sides: tuple[int, int]
    crop_size: int
    flip: bool
    inverse_uniform: bool = False
    backend: Backend = "pyav"
    seed: int = 0
    attempts: int = 20

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, key: tuple[int, int]) -> ClipItem:
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        failures: list[Failure] = []
        for _ in range(self.attempts):
            try:
                clip = self._clip(self.videos.path(index), rng)
            except VideoError as error:
                failures.append((error.path, error.reason))
                index = int(rng.integers(len(self.videos)))
            else:
                return ClipItem(clip, self.videos.label(index), index, tuple(failures))
        return ClipItem(None, -1, index, tuple(failures))

    def _clip(self, path: str, rng: np.random.Generator) -> Tensor:
        with open_video(path, backend=self.backend) as video:
            start = int(rng.integers(num_starts(video.num_frames, self.sampling, video.fps)))
            frames = video.frames(clip_indices(start, video.num_frames, self.sampling, video.fps))
        low, high = self.short_sides
        if self.inverse_uniform:
            side = round(1 / rng.uniform(1 / high, 1 / low))
        else:
            side = int(rng.integers(low, high, endpoint=True))
        frames = resize_short_side(frames, side)
        height, width = frames.shape[1:3]
        top = int(rng.integers(height - self.crop_size, endpoint=True))
        left = int(rng.integers(width - self.crop_size, endpoint=True))
        frames = crop(frames, top, left, self.crop_size, self.crop_size)
        if self.flip and rng.integers(2):
            frames = horizontal_flip(frames)
        return to_clip(frames)


@dataclass(frozen=True, kw_only=True)
class CentreClips(Dataset[ClipItem]):
    """The clip in the middle of each video, centre crop: the same at every validation."""

    videos: VideoList
    sampling: ClipSampling
    short_side: int
    crop_size: int
    backend: Backend = "pyav"

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> ClipItem:
        label = self.videos.label(index)
        try:
            with open_video(self.videos.path(index), backend=self.backend) as video:
                start = centre_start(video.num_frames, self.sampling, video.fps)
                wanted = clip_indices(start, video.num_frames, self.sampling, video.fps)
                frames = video.frames(wanted)
        except VideoError as error:
            return ClipItem(None, label, index, ((error.path, error.reason),))
        frames = centre_crop(resize_short_side(frames, self.short_side), self.crop_size)
        return ClipItem(to_clip(frames), label, index)


@dataclass(frozen=True, kw_only=True)
class TestViews(Dataset[ViewsItem]):
    """num_clips x num_crops views of each video, from one decoding of the frames they share."""

    __test__ = False  # not a test case, for all its name

    videos: VideoList
    sampling: ClipSampling
    num_clips: int
    num_crops: int
    short_side: int
    crop_size: int
    spacing: ViewSpacing = "slowfast"
    backend: Backend = "pyav"
    indices: Sequence[int] | None = field(default=None)

    def __len__(self) -> int:
        return len(self.videos) if self.indices is None else len(self.indices)

    def __getitem__(self, position: int) -> ViewsItem:
        index = position if self.indices is None else self.indices[position]
        label = self.videos.label(index)
        try:
            with open_video(self.videos.path(index), backend=self.backend) as video:
                return ViewsItem(self._views(video), label, index)
        except VideoError as error:
            return ViewsItem(None, label, index, ((error.path, error.reason),))

    def _views(self, video: VideoReader) -> VideoViews:
        starts = view_starts(
            self.num_clips, video.num_frames, self.sampling, video.fps, spacing=self.spacing
        )
        clips = [clip_indices(s, video.num_frames, self.sampling, video.fps) for s in starts]
        distinct = sorted({frame for clip in clips for frame in clip})
        place = {frame: i for i, frame in enumerate(distinct)}
        frames = resize_short_side(video.frames(distinct), self.short_side)
        height, width = frames.shape[1:3]
        return VideoViews(
            frames,
            tuple(tuple(place[frame] for frame in clip) for clip in clips),
            uniform_crop_boxes(height, width, self.crop_size, self.num_crops),
            self.crop_size,
        )
