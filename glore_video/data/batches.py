"""Items of a data set, put together as the batch of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glore_video.data.video.video_list import Failure
from glore_video.tasks.video_classification.dataset import ClipItem


@dataclass(frozen=True)
class ClipBatch:
    """Clips of one step.

    Attributes:
        clips: uint8 (clips, 3, frames, height, width), the clips of a video one after the other;
            None if no video of the batch was readable.
        labels: int64 (clips,).
        indices: places of the videos in their list, one a video: clip number c is of video
            c // clips_a_video.
        failures: unreadable videos, each (path, reason).
    """

    clips: Tensor | None
    labels: Tensor
    indices: tuple[int, ...]
    failures: tuple[Failure, ...]

    @property
    def clips_a_video(self) -> int:
        """1 without repeated augmentation."""
        return len(self.labels) // max(1, len(self.indices))

    def pin_memory(self) -> ClipBatch:
        if self.clips is None:
            return self
        return replace(self, clips=self.clips.pin_memory(), labels=self.labels.pin_memory())


def collate(items: Sequence[ClipItem]) -> ClipBatch:
    """Put the clips that could be read into one batch."""
    good = [(item, item.clips) for item in items if item.clips is not None]
    labels = [item.label for item, clips in good for _ in clips]
    return ClipBatch(
        clips=torch.cat([clips for _, clips in good]) if good else None,
        labels=torch.tensor(labels, dtype=torch.int64),
        indices=tuple(item.index for item, _ in good),
        failures=tuple(failure for item in items for failure in item.failures),
    )
