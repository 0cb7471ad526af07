"""Reading video: which frames make a clip, the frames themselves, and what is done to them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glore_video.choices import Backend, Damaged

from .clip_sampling import (
    ClipSampling,
    centre_start,
    clip_indices,
    num_starts,
    playback,
    span,
    view_starts,
)
from .errors import VideoError
from .frame_times import FrameTimes, Playback

if TYPE_CHECKING:
    from .opening import open_video, read_index
    from .reader import VideoReader
    from .video_index import VideoIndex

# Those that need torch or numpy; the others, VideoError among them, are had without.
_HOMES = {
    "VideoIndex": "video_index",
    "VideoReader": "reader",
    "open_video": "opening",
    "read_index": "opening",
}

__all__ = [
    "Backend",
    "ClipSampling",
    "Damaged",
    "FrameTimes",
    "Playback",
    "VideoError",
    "VideoIndex",
    "VideoReader",
    "centre_start",
    "clip_indices",
    "num_starts",
    "open_video",
    "playback",
    "read_index",
    "span",
    "view_starts",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
