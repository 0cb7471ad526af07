"""Own data sets: images/<split> beside masks/<split>, or images and masks in each split's folder."""

from __future__ import annotations

from pathlib import Path

from glore_video.data.masks.mask_classes import MaskClasses, numbered_classes
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.pairing import paired
from glore_video.data.numbering import SPLITS, read_names
from glore_video.errors import MissingFileError, UsageError

IMAGES, MASKS = "images", "masks"
NAMES = "class_names.txt"


class SplitsInside:
    """images/<split>/... and masks/<split>/..., at any depth."""

    name = "images/<split> beside masks/<split>"

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def root_in(folder: Path) -> Path | None:
        """Where it is, if the folder has anything of this layout."""
        return folder if any((folder / each).is_dir() for each in (IMAGES, MASKS)) else None

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have pictures."""
        return tuple(name for name in SPLITS if (self.root / IMAGES / name).is_dir())

    def load(self, split: str, *, complete: bool = True) -> MaskedList:
        folders = self.root / IMAGES / split, self.root / MASKS / split
        return paired(*folders, complete=complete)

    def classes(self, names_file: str | Path = "") -> MaskClasses:
        return _own_classes(self.root, names_file)


class SplitsOutside:
    """<split>/images/... and <split>/masks/..., at any depth."""

    name = "images and masks in each split's folder"

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def root_in(folder: Path) -> Path | None:
        inside = (folder / split / each for split in SPLITS for each in (IMAGES, MASKS))
        return folder if any(each.is_dir() for each in inside) else None

    def splits(self) -> tuple[str, ...]:
        return tuple(name for name in SPLITS if (self.root / name / IMAGES).is_dir())

    def load(self, split: str, *, complete: bool = True) -> MaskedList:
        folders = self.root / split / IMAGES, self.root / split / MASKS
        return paired(*folders, complete=complete)

    def classes(self, names_file: str | Path = "") -> MaskClasses:
        return _own_classes(self.root, names_file)


def _own_classes(root: Path, names_file: str | Path) -> MaskClasses:
    file = Path(names_file) if names_file else root / NAMES
    if not names_file and not file.is_file():
        raise MissingFileError(
            f"{file}: no such file; it names the classes of the masks, a line each, that of number 0 "
            "first (DATA.CLASS_NAMES_PATH names another file)"
        )
    names = read_names(file)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{file}: {twice[0]!r} stands there more than once")
    return numbered_classes(names, str(file))
