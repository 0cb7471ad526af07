"""Which frames make a clip or a view: exact arithmetic on frame numbers, no decoding, no RNG.

Frames are counted here. Where they are not shown at a constant rate, and the clip has a target frame
rate, `playback` gives what is shown 30 times a second, say, to be counted in their place.

A clip that starts at frame `s` of a video takes the frames `floor(s + i * step)`, i = 0, 1, ...,
where `step` follows from `ClipSampling` and, with a target frame rate, from the video's own.
All arithmetic is rational, so 30000/1001 fps gives the same frames on every machine.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

from glore_video.choices import ViewSpacing, check_choice
from glore_video.errors import UsageError

from .frame_times import FrameTimes, Playback

Spacing = Literal["stride", "linspace"]
ShortVideo = Literal["repeat_last", "cycle"]


@dataclass(frozen=True, kw_only=True)
class ClipSampling:
    """How a clip is taken from a video.

    Attributes:
        num_frames: frames of the clip.
        stride: frames from one sampled frame to the next.
        spacing: "stride" takes every stride-th frame, the meaning of "8x8" in papers and the rule
            of the GloRe repository (data/video_sampler.py). "linspace" is SlowFast's rule
            (datasets/decoder.py): num_frames points spread evenly over num_frames * stride frames,
            first and last included, so 8x8 has steps of 63 / 7 = 9 frames.
        target_fps: if set, stride counts frames of the video played at this rate; a video of
            another rate is covered for the same time. None: stride counts the video's own frames.
        short_video: what a video that is shorter than the clip gives. "repeat_last": positions
            past the end take the last frame (SlowFast). "cycle": the frames 0, 1, 2, ... one
            after the other, from the start again at the end (GloRe).
    """

    num_frames: int
    stride: int
    spacing: Spacing = "stride"
    target_fps: int | float | Fraction | None = None
    short_video: ShortVideo = "repeat_last"

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise UsageError(f"num_frames must be at least 1, got {self.num_frames}")
        if self.stride < 1:
            raise UsageError(f"stride must be at least 1, got {self.stride}")
        if self.target_fps is not None and not 0 < self.target_fps < float("inf"):
            raise UsageError(f"target_fps must be above 0, or None, got {self.target_fps}")
        check_choice("spacing", self.spacing, Spacing)
        check_choice("short_video", self.short_video, ShortVideo)


def playback(times: FrameTimes, clip: ClipSampling) -> Playback:
    """The video as clips count it: its len() and fps are what the functions below take.

    Its frames, or of a variable frame rate, if the clip has a target_fps, what is shown at that
    rate. `frames()` of it gives the frames at what clip_indices returns.
    """
    target = clip.target_fps
    return times.played_at(None if target is None else _exact(target))


def _exact(rate: float | Fraction) -> Fraction:
    """By way of str: 29.97 is 2997/100 and not the nearest binary fraction."""
    return Fraction(str(rate))


def span(clip: ClipSampling, fps: Fraction | int) -> Fraction:
    """Frames of a video of rate `fps` that the clip covers, from the first to the last inclusive.

    Not always a whole number when the clip has a target_fps. `float(span(clip, fps) / fps)` is
    the clip's length in seconds.
    """
    rate = Fraction(1)
    if clip.target_fps is not None:
        if fps <= 0:
            raise UsageError(f"fps must be above 0 when target_fps is set, got {fps}")
        rate = Fraction(fps) / _exact(clip.target_fps)
    if clip.spacing == "stride":
        return (clip.num_frames - 1) * clip.stride * rate + 1
    return max(Fraction(1), clip.num_frames * clip.stride * rate)


def _slack(video_frames: int, clip: ClipSampling, fps: Fraction | int) -> Fraction:
    """Frames of the video that are left beside the clip, at least 0."""
    if video_frames < 1:
        raise UsageError(f"video_frames must be at least 1, got {video_frames}")
    return max(Fraction(0), video_frames - span(clip, fps))


def num_starts(video_frames: int, clip: ClipSampling, fps: Fraction | int) -> int:
    """How many frames a clip may start at: 0 to num_starts - 1; 1 if the video is too short."""
    return floor(_slack(video_frames, clip, fps)) + 1


def clip_indices(
    start: int, video_frames: int, clip: ClipSampling, fps: Fraction | int
) -> list[int]:
    """The clip's frames, num_frames numbers in [0, video_frames), for a clip that begins at start.

    Raises ValueError unless 0 <= start < num_starts(video_frames, clip, fps).
    """
    starts = num_starts(video_frames, clip, fps)
    if not 0 <= start < starts:
        raise UsageError(
            f"start must be in 0..{starts - 1} for {clip} and {video_frames} frames, got {start}"
        )
    covered = span(clip, fps)
    if clip.short_video == "cycle" and covered > video_frames:
        return [i % video_frames for i in range(clip.num_frames)]
    step = (covered - 1) / max(clip.num_frames - 1, 1)
    return [min(start + floor(i * step), video_frames - 1) for i in range(clip.num_frames)]


def centre_start(video_frames: int, clip: ClipSampling, fps: Fraction | int) -> int:
    """Start of the clip in the middle; the later one of two, as the GloRe repository tests."""
    return num_starts(video_frames, clip, fps) // 2


def view_starts(
    num_views: int,
    video_frames: int,
    clip: ClipSampling,
    fps: Fraction | int,
    *,
    spacing: ViewSpacing = "slowfast",
) -> list[int]:
    """Starts of num_views clips spread over the video, earliest first.

    "slowfast": view i starts at i / num_views of the slack, so the last one ends before the video
    does (SlowFast's datasets/decoder.py, whose fraction of a frame is dropped here). "ends": the
    first view starts and the last one ends with the video. One view is the centre one. A video
    that is shorter than the clip gives num_views times 0.
    """
    check_choice("spacing", spacing, ViewSpacing)
    if num_views < 1:
        raise UsageError(f"num_views must be at least 1, got {num_views}")
    if num_views == 1:
        return [centre_start(video_frames, clip, fps)]
    slack = _slack(video_frames, clip, fps)
    if spacing == "slowfast":
        return [floor(slack * i / num_views) for i in range(num_views)]
    return [floor(slack) * i // (num_views - 1) for i in range(num_views)]
