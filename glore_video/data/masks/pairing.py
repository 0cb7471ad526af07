"""Pictures and masks put together, and what is said of those that are alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from glore_video.data.folders import LeftOut, samples_below
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.sample_kind import SampleKind
from glore_video.data.unicode_names import same_letters
from glore_video.errors import Failure, MissingFileError, UsageError

MASKS = SampleKind(
    "mask",
    example="masks/a.png",
    suffixes=frozenset({".png", ".tif", ".tiff", ".bmp", ".gif"}),  # those of images.masks
)
KEY = "DATA.PATH_TO_DATA_DIR"


def by_stem(kind: SampleKind, folder: Path, left_out: LeftOut, ending: str = "") -> dict[str, str]:
    """Files below a folder by their path in it without suffix and ending, in the order of their paths.

    Args:
        ending: of the names that are taken, before the suffix; others are passed over.

    Raises UsageError for two files of one such path.
    """
    found: dict[str, str] = {}
    for path in samples_below(kind, folder, left_out):
        inside, suffix = os.path.splitext(os.path.relpath(path, folder))
        if not inside.endswith(ending):
            left_out.add(f"names that do not end in {ending}{suffix}", path)
            continue
        stem = same_letters(inside.removesuffix(ending))
        if stem in found:
            raise UsageError(
                f"{folder}: {os.path.basename(found[stem])} and {os.path.basename(path)} differ in "
                f"their suffixes alone: which {kind.word} is meant?"
            )
        found[stem] = path
    return found


def paired(
    pictures_folder: Path,
    masks_folder: Path,
    *,
    picture_ending: str = "",
    mask_ending: str = "",
    complete: bool = True,
    instances_of: Callable[[str], str] | None = None,
) -> MaskedList:
    """Pictures and masks of the same paths in two folders, but for endings and suffixes.

    Args:
        picture_ending, mask_ending: of names before the suffix: "_leftImg8bit".
        complete: False: pictures without a mask and masks without a picture are left out.
        instances_of: path of the mask -> path of its picture of instances, taken where there is one.

    Raises MissingFileError and UsageError: a folder is not there, has nothing in it, or pictures
    have no mask (unless they are left out).
    """
    for folder in (pictures_folder, masks_folder):
        if not folder.is_dir():
            raise MissingFileError(f"{folder}: no such folder ({KEY})")
    left_out, masks_left_out = LeftOut(), LeftOut()
    pictures = by_stem(PICTURES, pictures_folder, left_out, picture_ending)
    masks = by_stem(MASKS, masks_folder, masks_left_out, mask_ending)
    if not pictures:
        raise UsageError(f"{pictures_folder}: no pictures in it{_instead(left_out)} ({KEY})")
    alone = {stem: path for stem, path in pictures.items() if stem not in masks}
    spare = [path for stem, path in masks.items() if stem not in pictures]
    if alone and complete:
        raise UsageError(
            f"{masks_folder}: no mask for {len(alone)} of the {len(pictures)} pictures in "
            f"{pictures_folder}, {next(iter(alone))}{mask_ending}.png for one{_instead(masks_left_out)}"
        )
    notes = [*left_out.notes(pictures_folder)]
    halves: list[Failure] = []
    if not complete:
        halves = [
            (path, f"has no mask {os.path.join(masks_folder, stem)}{mask_ending}.png")
            for stem, path in alone.items()
        ]
        halves += [(path, f"has no picture in {pictures_folder}") for path in spare]
        pictures = {stem: path for stem, path in pictures.items() if stem in masks}
    elif spare:
        first = os.path.relpath(spare[0], masks_folder)
        notes.append(f"{masks_folder}: {len(spare)} masks without a picture, {first} for one")
    of_pictures = [masks[stem] for stem in pictures]
    return MaskedList(
        pictures_folder,
        list(pictures.values()),
        of_pictures,
        instances=list(_instances(of_pictures, instances_of)) if instances_of else (),
        left_out=halves,
        notes=notes,
    )


def _instances(masks: list[str], instances_of: Callable[[str], str]) -> Iterator[str]:
    for mask in masks:
        path = instances_of(mask)
        yield path if os.path.isfile(path) else ""


def _instead(left_out: LeftOut) -> str:
    counts = left_out.counts()
    return f"; there are {counts}" if counts else ""
