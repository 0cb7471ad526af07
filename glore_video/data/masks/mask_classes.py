"""The classes of masks: names, colours, numbers in files, groups, instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glore_video.data.masks.label_map import IGNORED, MAX_CLASSES, LabelMap
from glore_video.errors import UsageError

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class MaskClasses:
    """What the numbers in the masks of a data set stand for. Tuples are by class.

    Attributes:
        names: for people.
        label_map: from stored numbers to classes.
        stored: the number that stands for a class in a file that we write.
        stored_none: the number of a pixel that is given no class there.
        colours: RGB.
        group_names: of groups of classes (Cityscapes' categories); empty if there are none.
        groups: of each class, its place in group_names.
        mean_instance_sizes: mean pixels of an instance, NaN for a class without instances; empty if
            the data set tells no instances apart.
        class_of_label: label id -> class or IGNORED, of the ids in pictures of instances.
    """

    names: tuple[str, ...]
    label_map: LabelMap
    stored: tuple[int, ...]
    colours: tuple[Colour, ...]
    stored_none: int = IGNORED
    group_names: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    mean_instance_sizes: tuple[float, ...] = ()
    class_of_label: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def colour_table(self) -> np.ndarray:
        """uint8 (classes, 3)."""
        return np.array(self.colours, dtype=np.uint8)

    def hex_colour(self, number: int) -> str:
        """A class's colour as pages have it: "#804080"."""
        return "#{:02x}{:02x}{:02x}".format(*self.colours[number])

    def numbers(self, classes: np.ndarray) -> np.ndarray:
        """What a file of these classes holds: uint8, or uint16 where a number needs it.

        Args:
            classes: of each pixel, whole numbers; len(self) where it is given none.
        """
        stored = (*self.stored, self.stored_none)
        return np.asarray(stored, dtype=np.uint16 if max(stored) > 255 else np.uint8)[classes]


def numbered_classes(names: Sequence[str], source: str) -> MaskClasses:
    """Classes whose numbers in masks are their places in the list; IGNORED is ignored.

    Args:
        source: of the names, for messages.
    """
    if not names:
        raise UsageError(
            f"{source}: no class in it; a name a line is expected, that of number 0 first"
        )
    if len(names) > MAX_CLASSES:
        raise UsageError(f"{source}: {len(names)} classes; masks can have {MAX_CLASSES}")
    first = (
        0 if names[0].lower() in ("background", "void") else 1
    )  # number 0 of the palette is black
    colours = voc_palette(first + len(names))[first:]
    return MaskClasses(
        names=tuple(names),
        label_map=LabelMap(
            {number: number for number in range(len(names))},
            ignored=(IGNORED,),
            mended_by=f"{source} names {len(names)} classes, 0 .. {len(names) - 1}, and {IGNORED} is "
            "ignored",
        ),
        stored=tuple(range(len(names))),
        colours=tuple((int(red), int(green), int(blue)) for red, green, blue in colours),
    )


def voc_palette(count: int) -> np.ndarray:
    """The colours of Pascal VOC's masks, uint8 (count, 3): all different up to 256.

    Bits 0, 3 and 6 of a number are the highest bits of red, 1, 4 and 7 of green, 2 and 5 of blue, in
    this order.
    """
    numbers = np.arange(count)
    colours = np.zeros((count, 3), dtype=np.uint8)
    for channel in range(3):
        for place in range(3):
            bit = numbers >> (3 * place + channel) & 1
            colours[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return colours
