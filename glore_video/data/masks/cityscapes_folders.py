"""Cityscapes as it is unpacked: leftImg8bit/<split>/<city> and gtFine/<split>/<city>."""

from __future__ import annotations

from pathlib import Path

from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.pairing import paired
from glore_video.data.numbering import SPLITS
from glore_video.errors import MissingFileError

PICTURES, MASKS = "leftImg8bit", "gtFine"


class Cityscapes:
    """Masks hold label ids; the classes of training are made of them as they are read."""

    name = "Cityscapes (leftImg8bit, gtFine)"

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def root_in(folder: Path) -> Path | None:
        return folder if any((folder / each).is_dir() for each in (PICTURES, MASKS)) else None

    def splits(self) -> tuple[str, ...]:
        return tuple(name for name in SPLITS if (self.root / PICTURES / name).is_dir())

    def load(self, split: str, *, complete: bool = True) -> MaskedList:
        for name in (PICTURES, MASKS):
            if not (self.root / name).is_dir():
                raise MissingFileError(
                    f"{self.root / name}: no such folder; unpack {name}_trainvaltest.zip of Cityscapes "
                    "there (DATA.PATH_TO_DATA_DIR)"
                )
        return paired(
            self.root / PICTURES / split,
            self.root / MASKS / split,
            picture_ending=f"_{PICTURES}",
            mask_ending=f"_{MASKS}_labelIds",
            complete=complete,
            instances_of=lambda mask: mask.replace("_labelIds.", "_instanceIds."),
        )

    def classes(self, names_file: str | Path = "") -> MaskClasses:
        return cityscapes_classes()
