"""The classes of masks by their names, where no data set is there to say what their numbers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.data.masks.mask_classes import MaskClasses, numbered_classes
from glore_video.data.masks.voc_folders import voc_classes
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.sample_kind import numbered_names
from glore_video.errors import UsageError


def classes_named(names: Sequence[str], source: str) -> MaskClasses:
    """Cityscapes' or Pascal VOC's classes, if these are their names; else those of own data sets.

    Args:
        names: by class.
        source: of the names, for messages.
    """
    for known in (cityscapes_classes(), voc_classes()):
        if known.names == tuple(names):
            return known
    return numbered_classes(names, source)


def _usual_names(num_classes: int) -> tuple[str, ...]:
    """Cityscapes' of 19, Pascal VOC's of 21."""
    for known in (cityscapes_classes(), voc_classes()):
        if len(known) == num_classes:
            return known.names
    return numbered_names(num_classes)


SCENES = replace(PICTURES, usual_names=_usual_names)
"""Pictures that are segmented."""


def classes_of_weights(
    stored: tuple[str, ...], count: int, of_data: Callable[[], MaskClasses]
) -> MaskClasses:
    """The classes that a network was trained on, by the names that its weights have.

    Their numbers and colours are those of the data, if these are there and have the same names. Names
    that weights don't have are those of the data, or the usual ones of so many classes.

    Args:
        stored: names in the weights; of another number than `count` they are none.
        count: classes of the network.
        of_data: reads the classes of the data; what it raises of files says that they are not there.
    """
    names = stored if len(stored) == count else ()
    try:
        found = of_data()
    except (UsageError, OSError):
        found = None
    if found is not None and found.names == (names or found.names):
        return found
    return classes_named(names or SCENES.usual_names(count), "the weights")
