"""What is wrong with masks, found before a run: sizes, numbers, classes that never occur."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from glore_video.data.folders import listed
from glore_video.data.masks.label_map import IGNORED
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.reading import size_difference
from glore_video.errors import Failure
from glore_video.images.errors import PictureError
from glore_video.images.masks import read_mask
from glore_video.images.opening import MAX_PIXELS
from glore_video.images.reading import read_image


@dataclass(frozen=True)
class MaskCheck:
    """What a check has found.

    Attributes:
        pixels: of each class, int64 (classes,).
        ignored: pixels.
        unreadable: pictures and masks that can't be read, and why.
        other_sizes: masks of another size than their pictures, and both sizes.
        unknown: number that stands for no class -> pixels, of all masks.
        with_unknown: masks that hold such numbers, and which.
        checked: pairs that were looked at.
    """

    pixels: np.ndarray
    ignored: int
    unreadable: tuple[Failure, ...]
    other_sizes: tuple[Failure, ...]
    unknown: dict[int, int]
    with_unknown: tuple[Failure, ...]
    checked: int

    @property
    def faulty(self) -> bool:
        """Whether a run would meet samples that it can't use."""
        return bool(self.unreadable or self.other_sizes or self.with_unknown)

    def lines(self, classes: MaskClasses) -> list[str]:
        """What a user should know, a line each."""
        lines = []
        for what, failures in (
            ("can't be read", self.unreadable),
            ("have masks of another size", self.other_sizes),
        ):
            if failures:
                path, reason = failures[0]
                lines.append(f"{len(failures)} of {self.checked} {what}: {path}: {reason}")
        if self.with_unknown:
            found = classes.label_map.describe(self.unknown)
            masks = f"{len(self.with_unknown)} of {self.checked} masks"
            lines.append(f"{masks}, {self.with_unknown[0][0]} for one: {found}")
        if absent := [
            name for name, count in zip(classes.names, self.pixels, strict=True) if not count
        ]:
            lines.append(f"no pixel in {self.checked} masks is of {listed(absent)}")
        return lines


@dataclass(frozen=True)
class _One:
    """Of one pair; `counts` int64 (256,), of mapped values."""

    counts: np.ndarray
    unreadable: Failure | None = None
    other_size: Failure | None = None
    unknown: dict[int, int] | None = None


def check_masks(
    samples: MaskedList,
    classes: MaskClasses,
    *,
    indices: Sequence[int] | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
    progress: Callable[[int], object] = lambda checked: None,
) -> MaskCheck:
    """Read pictures and masks and look for all that would disturb a run.

    Args:
        indices: places of those to look at; None: all.
        threads: that read at once.
        progress: is told how many have been looked at, after each.
    """
    chosen = range(len(samples)) if indices is None else indices

    def one(index: int) -> _One:
        return _look(samples, index, classes, max_pixels)

    if threads == 1:
        return _together(map(one, chosen), samples, chosen, classes, progress)
    with ThreadPoolExecutor(threads) as pool:
        return _together(pool.map(one, chosen), samples, chosen, classes, progress)


def spread_indices(count: int, most: int) -> list[int]:
    """Places of at most `most` of so many samples, evenly spread from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(place) for place in np.linspace(0, count - 1, most).tolist()]


def _look(samples: MaskedList, index: int, classes: MaskClasses, max_pixels: int) -> _One:
    none = np.zeros(256, dtype=np.int64)
    try:
        picture = read_image(samples.path(index), max_pixels=max_pixels)
        stored = read_mask(samples.mask(index), max_pixels=max_pixels)
    except PictureError as error:
        return _One(none, unreadable=(error.path, error.reason))
    if reason := size_difference(picture, stored):
        return _One(none, other_size=(samples.mask(index), reason))
    try:
        values = classes.label_map(stored).numpy()
    except PictureError:
        return _One(none, unknown=classes.label_map.unknown(stored))
    return _One(np.bincount(values.ravel(), minlength=256))


def _together(
    found: Iterable[_One],
    samples: MaskedList,
    chosen: Sequence[int],
    classes: MaskClasses,
    progress: Callable[[int], object],
) -> MaskCheck:
    counts = np.zeros(256, dtype=np.int64)
    unreadable, other_sizes, with_unknown = [], [], []
    unknown: dict[int, int] = {}
    for number, (index, one) in enumerate(zip(chosen, found, strict=True), start=1):
        counts += one.counts
        if one.unreadable:
            unreadable.append(one.unreadable)
        if one.other_size:
            other_sizes.append(one.other_size)
        if one.unknown:
            with_unknown.append((samples.mask(index), classes.label_map.describe(one.unknown)))
            for value, count in one.unknown.items():
                unknown[value] = unknown.get(value, 0) + count
        progress(number)
    return MaskCheck(
        pixels=counts[: len(classes)],
        ignored=int(counts[IGNORED]),
        unreadable=tuple(unreadable),
        other_sizes=tuple(other_sizes),
        unknown=unknown,
        with_unknown=tuple(with_unknown),
        checked=len(chosen),
    )
