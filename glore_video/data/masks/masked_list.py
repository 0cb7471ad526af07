"""Pictures and their masks, in the order of a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glore_video.data.packed_paths import PackedPaths
from glore_video.data.samples import SampleList
from glore_video.errors import Failure, UsageError


class MaskedList(SampleList):
    """The samples of one split: pictures, as `path` and `paths` give them, each with its mask.

    Kept as a SampleList is; labels are all 0 and mean nothing.

    Args:
        masks: a path for each picture.
        instances: paths of pictures that tell the instances of classes apart, see
            statistics.instance_iou; "" for a picture without one; none at all if empty.
    """

    def __init__(
        self,
        source: Path,
        pictures: Sequence[str],
        masks: Sequence[str],
        *,
        instances: Sequence[str] = (),
        left_out: Sequence[Failure] = (),
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(source, pictures, [0] * len(pictures), left_out=left_out, notes=notes)
        self._masks = PackedPaths(source, masks)
        self._instances = PackedPaths(source, instances or [""] * len(pictures))
        for what, paths in (("masks", self._masks), ("instances", self._instances)):
            if len(paths) != len(self):
                raise UsageError(f"{len(self)} pictures, but {len(paths)} {what}")

    @property
    def instances_known(self) -> int:
        """How many pictures have one of their instances."""
        return sum(self.instances(index) != "" for index in range(len(self)))

    def mask(self, index: int) -> str:
        """Path of the mask of the picture at this place."""
        return self._masks[index]

    def instances(self, index: int) -> str:
        """Path of the picture of its instances; "" if there is none."""
        return self._instances[index]
