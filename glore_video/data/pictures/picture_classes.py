"""Class numbering of folders of pictures, where synset folders are ImageNet's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glore_video.data.class_folders import class_folders
from glore_video.data.numbering import SPLITS, Numbering, number_classes
from glore_video.data.pictures.imagenet_classes import (
    IMAGENET_CLASSES,
    are_synsets,
    imagenet_names,
    imagenet_synsets,
    readable,
)
from glore_video.data.sample_kind import SampleKind


def number_pictures(
    kind: SampleKind,
    root: Path,
    *,
    names_file: str | Path = "",
    num_classes: int | None = None,
    separator: str = " ",
) -> Numbering:
    """`number_classes` for pictures: classes of synset folders ("n01440764") get readable names.

    With num_classes = 1000, synset folders bear ImageNet's labels even if only some of them are
    there, so that a network of 1,000 classes can be tested on a part of ImageNet.
    """
    if not names_file and not (root / "class_names.txt").is_file():
        known = imagenet_synsets()
        folders = {
            name
            for split in SPLITS
            if (root / split).is_dir()
            for name in class_folders(kind, root / split)
        }
        if num_classes == len(IMAGENET_CLASSES) and are_synsets(folders) and folders <= set(known):
            labels = {synset: label for label, synset in enumerate(known)}
            return Numbering("the synsets of ImageNet", imagenet_names(), labels)
    numbering = number_classes(
        kind, root, names_file=names_file, num_classes=num_classes, separator=separator
    )
    return replace(numbering, names=tuple(readable(name) for name in numbering.names))
