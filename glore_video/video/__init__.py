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
from .opening import open_video, read_index
from .reader import Backend, Damaged, VideoReader
from .video_index import VideoIndex

__all__ = [
    "Backend",
    "ClipSampling",
    "Damaged",
    "VideoError",
    "VideoIndex",
    "VideoReader",
    "centre_start",
    "clip_indices",
    "num_starts",
    "open_video",
    "read_index",
    "span",
    "view_starts",
]
