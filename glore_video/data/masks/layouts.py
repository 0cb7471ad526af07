"""Where pictures and masks lie: Cityscapes' own folders, Pascal VOC's, or images beside masks."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from glore_video.data.masks.cityscapes_folders import Cityscapes
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.own_folders import SplitsInside, SplitsOutside
from glore_video.data.masks.pairing import KEY
from glore_video.data.masks.voc_folders import PascalVOC
from glore_video.errors import MissingFileError, UsageError


class Layout(Protocol):
    """A data set of pictures and masks in its folders."""

    @property
    def name(self) -> str:
        """In words, for messages."""

    @property
    def root(self) -> Path: ...

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that are there."""

    def load(self, split: str, *, complete: bool = True) -> MaskedList:
        """Raises MissingFileError and UsageError where pictures or masks are missing.

        Args:
            complete: False: single pictures and masks without their other half are `left_out`.
        """

    def classes(self, names_file: str | Path = "") -> MaskClasses:
        """Of own folders those of a file, a name a line; of published data sets their own.

        Raises MissingFileError without such a file.
        """


_LAYOUTS = (Cityscapes, PascalVOC, SplitsInside, SplitsOutside)


def layouts_in(folder: Path) -> list[Layout]:
    """All layouts that a folder has something of."""
    roots = ((layout, layout.root_in(folder)) for layout in _LAYOUTS)
    return [layout(root) for layout, root in roots if root is not None]


def find_layout(folder: str | Path) -> Layout:
    """The layout of a data folder.

    Raises:
        MissingFileError: there is no such folder.
        UsageError: it has nothing of any layout, or of more than one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"{KEY} = {folder}: no such folder")
    found = layouts_in(folder)
    if not found:
        known = "; ".join(layout.name for layout in _LAYOUTS)
        raise UsageError(f"{KEY} = {folder}: no pictures with masks in it; known are: {known}")
    if len(found) > 1:
        names = " and ".join(layout.name for layout in found)
        raise UsageError(f"{KEY} = {folder}: has folders of {names}: leave those of one there")
    return found[0]


def load_pairs(folder: str | Path, split: str) -> MaskedList:
    """The pictures and masks of one split of a data folder, see `find_layout`."""
    return find_layout(folder).load(split)
