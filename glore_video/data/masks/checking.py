"""What is wrong with masks, found before a run: sizes, numbers, classes that never occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from glore_video.data.folders import listed
from glore_video.data.masks.label_map import IGNORED
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.reading import read_instances, size_difference
from glore_video.data.threaded import in_threads
from glore_video.images.errors import PictureError
from glore_video.images.masks import read_mask
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image

Status = Literal["ok", "unreadable", "size", "numbers"]
_FAULTS: dict[Status, str] = {
    "unreadable": "can't be read",
    "size": "have masks of another size",
    "numbers": "have masks with numbers that stand for no class",
}
_NAMED = 3  # faults of a kind that get a line


@dataclass(frozen=True, kw_only=True)
class PairCheck:
    """What has been found of a picture and its mask.

    Attributes:
        index: its place in the list.
        status: "unreadable": one of its files; "size": the mask's is not the picture's; "numbers": the
            mask holds some that stand for no class.
        path: the file at fault.
        reason: what is wrong with it.
        width, height: of the picture, pixels; 0 if it can't be read.
        pixels: int64 (classes + 1,) of each class, and ignored; zeros unless it is ok.
        unknown: number that stands for no class -> pixels.
    """

    index: int
    status: Status
    path: str = ""
    reason: str = ""
    width: int = 0
    height: int = 0
    pixels: np.ndarray
    unknown: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MaskCheck:
    """What a check has found, of each pair that was looked at."""

    pairs: tuple[PairCheck, ...]
    classes: MaskClasses

    @property
    def checked(self) -> int:
        return len(self.pairs)

    @property
    def faults(self) -> tuple[PairCheck, ...]:
        """Pairs that a run can't use."""
        return tuple(each for each in self.pairs if each.status != "ok")

    @property
    def pixels(self) -> np.ndarray:
        """Of each class, int64 (classes,)."""
        return self._counts[:-1]

    @property
    def ignored(self) -> int:
        """Pixels."""
        return int(self._counts[-1])

    @property
    def occurs_in(self) -> np.ndarray:
        """Masks that have pixels of each class, int64 (classes,)."""
        found = np.zeros(len(self.classes), dtype=np.int64)
        for each in self.pairs:
            found += each.pixels[:-1] > 0
        return found

    @property
    def absent(self) -> list[str]:
        """Names of classes that no mask has a pixel of."""
        pairs = zip(self.classes.names, self.pixels, strict=True)
        return [name for name, count in pairs if not count]

    @property
    def _counts(self) -> np.ndarray:
        total = np.zeros(len(self.classes) + 1, dtype=np.int64)
        for each in self.pairs:
            total += each.pixels
        return total

    def lines(self) -> list[str]:
        """What a user should know, a line each."""
        lines = []
        for status, words in _FAULTS.items():
            found = [each for each in self.pairs if each.status == status]
            if status == "numbers" and len(found) > 1:
                unknown = sum((Counter(each.unknown) for each in found), Counter())
                described = self.classes.label_map.describe(unknown)
                lines.append(
                    f"{len(found)} of {self.checked} masks, {found[0].path} for one: {described}"
                )
                continue
            lines += [f"{each.path}: {each.reason}" for each in found[:_NAMED]]
            if len(found) > _NAMED:
                lines.append(f"{len(found)} of {self.checked} {words}, {_NAMED} are named above")
        if self.absent:
            lines.append(f"no pixel in {self.checked} masks is of {listed(self.absent)}")
        return lines


def check_masks(
    samples: MaskedList,
    classes: MaskClasses,
    *,
    indices: Sequence[int] | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
    progress: Callable[[int], object] = lambda checked: None,
) -> MaskCheck:
    """Read pictures, masks and pictures of instances, and look for all that would disturb a run.

    Args:
        indices: places of those to look at; None: all.
        threads: that read at once.
        progress: is told how many have been looked at, after each.
    """
    chosen = range(len(samples)) if indices is None else indices

    def one(index: int) -> PairCheck:
        return _look(samples, index, classes, max_pixels)

    pairs = []
    for number, pair in enumerate(in_threads(one, chosen, threads), start=1):
        pairs.append(pair)
        progress(number)
    return MaskCheck(tuple(pairs), classes)


def spread_indices(count: int, most: int) -> list[int]:
    """Places of at most `most` of so many samples, evenly spread from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(place) for place in np.linspace(0, count - 1, most).tolist()]


def _look(samples: MaskedList, index: int, classes: MaskClasses, max_pixels: int) -> PairCheck:
    none = np.zeros(len(classes) + 1, dtype=np.int64)
    width = height = 0

    def fault(
        status: Status, path: str, reason: str, unknown: Mapping[int, int] | None = None
    ) -> PairCheck:
        return PairCheck(
            index=index,
            status=status,
            path=path,
            reason=reason,
            width=width,
            height=height,
            pixels=none,
            unknown=unknown or {},
        )

    mask = samples.mask(index)
    try:
        picture = read_image(samples.path(index), max_pixels=max_pixels)
        height, width = picture.shape[1:3]
        stored = read_mask(mask, max_pixels=max_pixels)
        if reason := size_difference(picture, stored):
            return fault("size", mask, reason)
        if samples.instances(index) and classes.class_of_label:
            labels = len(classes.class_of_label)
            read_instances(samples, index, stored, labels, max_pixels=max_pixels)
    except PictureError as error:
        return fault("unreadable", error.path, error.reason)
    try:
        values = classes.label_map(stored, mask).numpy()
    except PictureError as error:
        return fault("numbers", mask, error.reason, classes.label_map.unknown(stored))
    counts = np.bincount(values.ravel(), minlength=IGNORED + 1)
    pixels = np.append(counts[: len(classes)], counts[IGNORED]).astype(np.int64)
    return PairCheck(index=index, status="ok", width=width, height=height, pixels=pixels)
