"""A video list with clip sampling, reader and transforms -> clips for training, views for testing.

Everything stays uint8 here; the engine normalises on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

from glore_video.choices import Backend, Damaged, ViewSpacing
from glore_video.data.video.video_list import VideoList
from glore_video.data.watchdog import Watchdog
from glore_video.errors import UsageError
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.draws import whole
from glore_video.pixels.transforms import (
    centre_crop,
    in_channels,
    resize_short_side,
    to_clip,
    uniform_crop,
)
from glore_video.tasks.sample_sets import TrainingSet, ValidationSet, ViewsSet
from glore_video.video.clip_sampling import (
    ClipSampling,
    centre_start,
    clip_indices,
    num_starts,
    playback,
    view_starts,
)
from glore_video.video.errors import VideoError
from glore_video.video.opening import open_video
from glore_video.video.reader import VideoReader

T = TypeVar("T")


@dataclass(frozen=True)
class VideoViews:
    """All views of one video: its distinct frames, decoded and scaled once, and where views lie.

    Attributes:
        planes: uint8 (3, distinct frames, height, width): colours apart, once for all views, since
            each view taking them apart for itself would cost more than decoding.
        clips: for each clip, the places of its frames in `planes`.
        crops: place of each crop along the longer side, 0 (start), 1 (middle) or 2 (end). A view
            is a clip and a crop; the views of a clip follow one another.
        crop_size: side of a crop, pixels.
    """

    planes: Tensor
    clips: tuple[tuple[int, ...], ...]
    crops: tuple[Literal[0, 1, 2], ...]
    crop_size: int

    @classmethod
    def cut(
        cls,
        frames: Tensor,
        clips: Sequence[Sequence[int]],
        *,
        num_crops: Literal[1, 3],
        crop_size: int,
    ) -> VideoViews:
        """Views of scaled frames, uint8 (distinct frames, height, width, 3).

        They are those whose numbers the clips name, each once, in rising order.
        """
        place = {number: i for i, number in enumerate(_distinct(clips))}
        return cls(
            to_clip(frames),
            tuple(tuple(place[number] for number in clip) for clip in clips),
            (0, 1, 2) if num_crops == 3 else (1,),
            crop_size,
        )

    @classmethod
    def read(
        cls,
        video: VideoReader,
        clips: Sequence[Sequence[int]],
        *,
        num_crops: Literal[1, 3],
        short_side: int,
        crop_size: int,
    ) -> VideoViews:
        """Views of the video's frames that the clips name, scaled to short_side as they are decoded."""
        frames = video.frames(_distinct(clips), partial(resize_short_side, short_side=short_side))
        return cls.cut(frames, clips, num_crops=num_crops, crop_size=crop_size)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> VideoViews:
        """The same views, cut on the device: fewer bytes are copied there than views have."""
        return replace(self, planes=self.planes.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> VideoViews:
        return replace(self, planes=self.planes.pin_memory())

    def __len__(self) -> int:
        return len(self.clips) * len(self.crops)

    def view(self, number: int) -> Tensor:
        """uint8 (3, frames, crop_size, crop_size)."""
        clip, position = divmod(number, len(self.crops))
        pictures = self.planes.permute(1, 2, 3, 0)  # (distinct frames, height, width, 3)
        window = uniform_crop(pictures, self.crop_size, self.crops[position]).permute(3, 0, 1, 2)
        return torch.stack([window[:, place] for place in self.clips[clip]], dim=1)

    def batches(self, size: int) -> Iterator[Tensor]:
        """uint8 (at most size, 3, frames, crop_size, crop_size), all views in order."""
        for start in range(0, len(self), size):
            yield torch.stack([self.view(n) for n in range(start, min(start + size, len(self)))])


def _distinct(clips: Sequence[Sequence[int]]) -> list[int]:
    return sorted({number for clip in clips for number in clip})


@dataclass(frozen=True, kw_only=True)
class TrainingClips(TrainingSet):
    """Random clips: start, framing and augmentation drawn anew for each (epoch, index).

    Args:
        framing: which part of the frames a clip shows.
        augmentation: colours, erasing and the like.
        num_clips: clips of each video, from one opening; each with draws of its own, the start
            included. The first is the one that num_clips=1 gives.
        damaged: what a video gives that is not whole, see open_video.
        seed, attempts, watchdog: see TrainingSet.
    """

    videos: VideoList
    sampling: ClipSampling
    framing: Framing
    augmentation: Augmentation = field(default_factory=Augmentation)
    num_clips: int = 1
    backend: Backend = "pyav"
    damaged: Damaged = "error"
    seed: int = 0
    attempts: int = 20
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> VideoList:
        return self.videos

    def inputs(self, epoch: int, index: int, attempt: int) -> Tensor:
        """uint8 (num_clips, 3, frames, crop_size, crop_size)."""

        def read(video: VideoReader) -> Tensor:
            drawn = self.draws(epoch, index, attempt, self.num_clips)
            played = playback(video.times, self.sampling)
            count, fps = len(played), played.fps
            starts = num_starts(count, self.sampling, fps)
            clips = video.clips(
                [
                    played.frames(
                        clip_indices(whole(0, starts - 1, each.framing), count, self.sampling, fps)
                    )
                    for each in drawn
                ],
                [
                    self.augmentation.scaling(
                        self.framing, generator=each.framing, colours=each.colours
                    )
                    for each in drawn
                ],
            )
            finished = [
                self.augmentation.finish(
                    clip,
                    self.framing,
                    generator=each.framing,
                    colours=each.colours,
                    number=number,
                )
                for number, (clip, each) in enumerate(zip(clips, drawn, strict=True))
            ]
            if self.num_clips == 1:
                return in_channels(finished[0])[None]
            return torch.stack(list(finished)).movedim(-1, 1)

        chosen = self.chosen(epoch, index, attempt)
        return _read(self.videos, chosen, read, self.backend, self.damaged)


@dataclass(frozen=True, kw_only=True)
class CentreClips(ValidationSet):
    """The clip in the middle of each video, centre crop: the same at every validation."""

    videos: VideoList
    sampling: ClipSampling
    short_side: int
    crop_size: int
    backend: Backend = "pyav"
    damaged: Damaged = "error"
    watchdog: Watchdog | None = None

    @property
    def samples(self) -> VideoList:
        return self.videos

    def input(self, index: int) -> Tensor:
        def scale(frame: Tensor) -> Tensor:
            return centre_crop(resize_short_side(frame, self.short_side), self.crop_size)

        def read(video: VideoReader) -> Tensor:
            played = playback(video.times, self.sampling)
            start = centre_start(len(played), self.sampling, played.fps)
            places = clip_indices(start, len(played), self.sampling, played.fps)
            return video.frames(played.frames(places), scale)

        return in_channels(_read(self.videos, index, read, self.backend, self.damaged))


@dataclass(frozen=True, kw_only=True)
class EvalViews(ViewsSet):
    """num_clips x num_crops views of each video, from one decoding of the frames they share.

    Without videos it only says how views are taken; `dataclasses.replace` gives it some.

    Args:
        sampling: the frames of a clip.
        short_side: to which frames are scaled, pixels.
        crop_size: side of a view, pixels.
        spacing: how clips are spread over a video.
        backend, damaged: see `open_video`.
        indices: places in the list of the videos to show; None: all.
        watchdog: limits the time for each video.

    Raises:
        UsageError: numbers of clips or crops that can't be, or a crop that does not fit.
    """

    videos: VideoList = field(default_factory=lambda: VideoList(Path(), (), ()))
    sampling: ClipSampling
    num_clips: int
    num_crops: Literal[1, 3]
    short_side: int
    crop_size: int
    spacing: ViewSpacing = "slowfast"
    backend: Backend = "pyav"
    damaged: Damaged = "error"
    indices: Sequence[int] | None = None
    watchdog: Watchdog | None = None

    def __post_init__(self) -> None:
        if self.num_crops not in (1, 3):
            raise UsageError(f"num_crops must be 1 or 3, got {self.num_crops}")
        if self.num_clips < 1:
            raise UsageError(f"num_clips must be at least 1, got {self.num_clips}")
        if self.crop_size > self.short_side:
            raise UsageError(
                f"crop_size {self.crop_size} does not fit in frames of short side {self.short_side}"
            )

    @property
    def words(self) -> str:
        """The views of a video: "10 clips x 3 crops"."""
        clips = f"{self.num_clips} clip{'s' * (self.num_clips > 1)}"
        return f"{clips} x {self.num_crops} crop{'s' * (self.num_crops > 1)}"

    @property
    def samples(self) -> VideoList:
        return self.videos

    def showing(self, samples: VideoList, *, watchdog: Watchdog | None = None) -> EvalViews:
        return replace(self, videos=samples, indices=None, watchdog=watchdog)

    def views_of(self, index: int) -> VideoViews:
        def read(video: VideoReader) -> VideoViews:
            played = playback(video.times, self.sampling)
            count, fps = len(played), played.fps
            starts = view_starts(self.num_clips, count, self.sampling, fps, spacing=self.spacing)
            return VideoViews.read(
                video,
                [played.frames(clip_indices(each, count, self.sampling, fps)) for each in starts],
                num_crops=self.num_crops,
                short_side=self.short_side,
                crop_size=self.crop_size,
            )

        return _read(self.videos, index, read, self.backend, self.damaged)


def _read(
    videos: VideoList,
    index: int,
    read: Callable[[VideoReader], T],
    backend: Backend,
    damaged: Damaged,
) -> T:
    """What read gives of the opened video at index."""
    with open_video(
        videos.path(index), backend=backend, index=videos.index(index), damaged=damaged
    ) as video:
        return _again_if_shorter(video, read, damaged)


def _again_if_shorter(video: VideoReader, read: Callable[[VideoReader], T], damaged: Damaged) -> T:
    """read(video), anew where decoding finds it shorter than it said, to choose other frames."""
    while True:
        known = video.num_frames
        try:
            return read(video)
        except VideoError:
            if damaged != "use_prefix" or not 0 < video.num_frames < known:
                raise
