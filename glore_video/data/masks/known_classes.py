"""The classes of masks by their names, where no data set is there to say what their numbers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.data.masks.mask_classes import MaskClasses, numbered_classes
from glore_video.data.masks.voc_folders import voc_classes
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.sample_kind import numbered_names


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
