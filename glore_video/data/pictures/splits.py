"""The pictures of a split: of a list, class folders, or one folder with a ground-truth file."""

from __future__ import annotations

from pathlib import Path

from glore_video.data import class_lists
from glore_video.data.numbering import Numbering, list_of
from glore_video.data.pictures.flat_split import is_flat, load_flat
from glore_video.data.pictures.picture_classes import number_pictures
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.samples import SampleList


def load_split(
    folder: str | Path,
    split: str,
    *,
    num_classes: int,
    prefix: str | Path = "",
    separator: str = " ",
    numbering: Numbering | None = None,
    labels_file: str = "",
) -> SampleList:
    """The pictures of one split: `<split>.csv` in the folder, class folders in `<split>`, or neither.

    With neither, ImageNet's validation set as it is unpacked: see `load_flat`.

    Args:
        numbering: labels of class folders; by default those of `number_pictures`.
        labels_file: the ground truth of such a split.

    Raises as data.class_lists.load_split and load_flat do.
    """
    folder = Path(folder)
    if list_of(folder, split) is None:
        numbering = numbering or number_pictures(
            PICTURES, folder, num_classes=num_classes, separator=separator
        )
        if is_flat(folder, split):
            return load_flat(
                folder,
                split,
                num_classes=num_classes,
                numbering=numbering,
                labels_file=labels_file,
            )
    return class_lists.load_split(
        PICTURES,
        folder,
        split,
        num_classes=num_classes,
        prefix=prefix,
        separator=separator,
        numbering=numbering,
    )
