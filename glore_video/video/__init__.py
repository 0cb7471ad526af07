"""Reading video: which frames make a clip, the frames themselves, and what is done to them."""

from .clip_sampling import (
    ClipSampling,
    centre_start,
    clip_indices,
    num_starts,
    span,
    view_starts,
)
from .errors import VideoError
from .reader import Backend, VideoReader, open_video

__all__ = [
    "Backend",
    "ClipSampling",
    "VideoError",
    "VideoReader",
    "centre_start",
    "clip_indices",
    "num_starts",
    "open_video",
    "span",
    "view_starts",
]
