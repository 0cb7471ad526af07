"""Pascal VOC as it is unpacked: JPEGImages, SegmentationClass and ImageSets/Segmentation/<split>.txt."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from glore_video.data.folders import listed
from glore_video.data.list_files import text_lines
from glore_video.data.masks.label_map import IGNORED, LabelMap
from glore_video.data.masks.mask_classes import MaskClasses, numbered_classes
from glore_video.data.masks.masked_list import MaskedList
from glore_video.errors import MissingFileError, UsageError

PICTURES, LISTS = "JPEGImages", "ImageSets/Segmentation"
MASKS = ("SegmentationClass", "SegmentationClassAug")
_INSIDE = ("", "VOC2012", "VOCdevkit/VOC2012", "VOCdevkit/VOC2007", "VOC2007")
NAMES = tuple(
    """
    background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse
    motorbike person pottedplant sheep sofa train tvmonitor
    """.split()
)


class PascalVOC:
    """A list a split; train, val, trainval and, with the masks of Hariharan et al. 2011, trainaug.

    Masks of trainaug lie in SegmentationClassAug, the others' in SegmentationClass; a line of a list
    may name both files, as `/JPEGImages/a.jpg /SegmentationClassAug/a.png`.
    """

    name = "Pascal VOC (JPEGImages, SegmentationClass)"

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def root_in(folder: Path) -> Path | None:
        for inside in _INSIDE:
            if any((folder / inside / each).is_dir() for each in (PICTURES, *MASKS)):
                return folder / inside
        return None

    def splits(self) -> tuple[str, ...]:
        folder = self.root / LISTS
        return tuple(sorted(file.stem for file in folder.glob("*.txt")) if folder.is_dir() else ())

    def load(self, split: str, *, complete: bool = True) -> MaskedList:
        file = self.root / LISTS / f"{split}.txt"
        if not file.is_file():
            there = listed(self.splits())
            raise MissingFileError(
                f"{file}: no such list" + (f"; there are {there}" if there else "")
            )
        usual = MASKS[split.endswith("aug") and (self.root / MASKS[1]).is_dir()]
        pictures, masks = [], []
        for number, line in text_lines(file):
            words = line.split()
            if len(words) not in (1, 2):
                raise UsageError(
                    f"{file}:{number}: {line!r}: a picture's name is expected, or the paths of a picture "
                    "and its mask"
                )
            picture, mask = (
                words
                if len(words) == 2
                else (f"{PICTURES}/{words[0]}.jpg", f"{usual}/{words[0]}.png")
            )
            pictures.append(str(self.root / picture.lstrip("/")))
            masks.append(str(self.root / mask.lstrip("/")))
        if not pictures:
            raise UsageError(f"{file}: it is empty")
        if not complete:
            return _of_those_there(file, pictures, masks)
        for what, paths in (("picture", pictures), ("mask", masks)):
            if missing := [path for path in paths if not os.path.isfile(path)]:
                raise MissingFileError(
                    f"{file}: {len(missing)} of its {len(paths)} {what}s are not there, {missing[0]} "
                    "for one"
                )
        return MaskedList(file, pictures, masks)

    def classes(self, names_file: str | Path = "") -> MaskClasses:
        return voc_classes()


def _of_those_there(file: Path, pictures: list[str], masks: list[str]) -> MaskedList:
    """The pairs both of which are there; of the others what is missing is left out."""
    pairs, left_out = [], []
    for pair in zip(pictures, masks, strict=True):
        missing = [path for path in pair if not os.path.isfile(path)]
        left_out += [(path, f"no such file, which {file} names") for path in missing]
        if not missing:
            pairs.append(pair)
    return MaskedList(file, [p for p, _ in pairs], [m for _, m in pairs], left_out=left_out)


@cache
def voc_classes() -> MaskClasses:
    """Background and 20 kinds of things; 255, around them and where it is hard to say, is ignored."""
    numbers = {number: number for number in range(len(NAMES))}
    words = f"masks of VOC hold 0 .. {len(NAMES) - 1}, and {IGNORED} where nobody says"
    label_map = LabelMap(numbers, ignored=(IGNORED,), mended_by=words)
    return replace(numbered_classes(NAMES, "Pascal VOC"), label_map=label_map)
