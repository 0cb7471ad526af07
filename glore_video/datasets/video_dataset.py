"""A video list with clip sampling, reader and transforms -> clips for training, views for testing.

Everything stays uint8 here; the engine normalises on the device. Training draws depend on
(seed, epoch, position in the list) alone, never on the number of workers or processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from glore_video.datasets.annotations import VideoList
from glore_video.datasets.seeding import generator_for, randint
from glore_video.video.clip_sampling import (
    ClipSampling,
    ViewSpacing,
    centre_start,
    clip_indices,
    num_starts,
    view_starts,
)
from glore_video.video.errors import VideoError
from glore_video.video.reader import Backend, VideoReader, open_video
from glore_video.video.transforms import (
    centre_crop,
    horizontal_flip,
    random_crop,
    random_short_side,
    resize_short_side,
    to_clip,
    uniform_crop,
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
        crops: place of each crop along the longer side, 0 (start), 1 (middle) or 2 (end). A view
            is a clip and a crop; the views of a clip follow one another.
        crop_size: side of a crop, pixels.
    """

    frames: Tensor
    clips: tuple[tuple[int, ...], ...]
    crops: tuple[Literal[0, 1, 2], ...]
    crop_size: int

    def __len__(self) -> int:
        return len(self.clips) * len(self.crops)

    def view(self, number: int) -> Tensor:
        """uint8 (3, frames, crop_size, crop_size)."""
        clip, position = divmod(number, len(self.crops))
        window = uniform_crop(self.frames, self.crop_size, self.crops[position])
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
        generator = generator_for(self.seed, epoch, index)
        failures: list[Failure] = []
        for _ in range(self.attempts):
            try:
                clip = self._clip(self.videos.path(index), generator)
            except VideoError as error:
                failures.append((error.path, error.reason))
                index = randint(len(self.videos), generator)
            else:
                return ClipItem(clip, self.videos.label(index), index, tuple(failures))
        return ClipItem(None, -1, index, tuple(failures))

    def _clip(self, path: str, generator: torch.Generator) -> Tensor:
        with open_video(path, backend=self.backend) as video:
            starts = num_starts(video.num_frames, self.sampling, video.fps)
            start = randint(starts, generator)
            frames = video.frames(clip_indices(start, video.num_frames, self.sampling, video.fps))
        draw = float(torch.rand((), generator=generator))
        side = random_short_side(*self.short_sides, draw, inverse=self.inverse_uniform)
        frames = random_crop(resize_short_side(frames, side), self.crop_size, generator)
        if self.flip and randint(2, generator):
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
    num_crops: Literal[1, 3]
    short_side: int
    crop_size: int
    spacing: ViewSpacing = "slowfast"
    backend: Backend = "pyav"
    indices: Sequence[int] | None = None

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
        return VideoViews(
            frames,
            tuple(tuple(place[frame] for frame in clip) for clip in clips),
            (0, 1, 2) if self.num_crops == 3 else (1,),
            self.crop_size,
        )
