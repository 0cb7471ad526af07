"""What a task classifies, for texts, and for names of figures: videos, or pictures."""

from __future__ import annotations

from dataclasses import dataclass

from glore_video.errors import UsageError


@dataclass(frozen=True)
class SampleKind:
    """What the samples are called.

    Attributes:
        noun: "video", "picture"; the plural has an s.
        has_clips: whether views are crops of clips, whose own accuracy is a figure too.
    """

    noun: str
    has_clips: bool

    @property
    def plural(self) -> str:
        return f"{self.noun}s"

    def top_key(self, k: int) -> str:
        """Of the top-k accuracy in files: "video_top1" beside "clip_top1", or "top1"."""
        return f"{self.noun}_top{k}" if self.has_clips else f"top{k}"

    def top_name(self, k: int) -> str:
        """Likewise in texts."""
        return f"{self.noun} top-{k}" if self.has_clips else f"top-{k}"


VIDEO = SampleKind("video", has_clips=True)
PICTURE = SampleKind("picture", has_clips=False)


def sample_kind(noun: str) -> SampleKind:
    """Raises UsageError for a noun that is not known."""
    for kind in (VIDEO, PICTURE):
        if kind.noun == noun:
            return kind
    raise UsageError(f"samples are videos or pictures, got {noun!r}")
