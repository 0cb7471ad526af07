"""A small set of street scenes with masks that the package renders itself, for segmentation.

A lamp says which of two kinds of ground is the road, see street_rendering.py.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from PIL import Image

from glore_video.data.relations.data_set import NAMES, check_least
from glore_video.data.relations.rendered_folder import (
    appearing_whole,
    is_complete,
    render_split,
    write_lines,
)
from glore_video.data.relations.scene import check_size
from glore_video.data.relations.street_rendering import CLASSES, LAMPS, render_street

SPLITS = ("train", "val")
WHAT = ("images", "masks")


def render_streets(
    root: str | os.PathLike[str],
    *,
    num_train: int = 1600,
    num_val: int = 240,
    seed: int = 0,
    size: int = 64,
    progress: bool = True,
) -> Path:
    """Render PNG pictures and masks into a folder, or reuse it where the same ones are there already.

    The folder then holds `images/<split>/<number>.png` and masks of the same names in `masks`, for the
    splits train and val; `class_names.txt`, a name a line, in the order of the masks' numbers; and
    `relations.json`, the parameters. It appears under its name only once complete; an interrupted run
    leaves nothing. Of four pictures in a row each has another lamp, or the two kinds of ground at other
    sides.

    Args:
        root: the folder to make; its parents are made too.
        num_train: pictures in the training split, at least 1.
        num_val: pictures in the validation split, at least 1.
        seed: non-negative; the same parameters give the same pictures.
        size: height and width in pixels, even and at least 48.
        progress: show a progress bar, if on a terminal.

    Returns:
        The folder.

    Raises:
        ValueError: a parameter outside of these limits, or the folder holds something else.
    """
    root = Path(root)
    check_size(size)
    check_least(num_train=(num_train, 1), num_val=(num_val, 1), seed=(seed, 0))
    counts = dict(zip(SPLITS, (num_train, num_val), strict=True))
    parameters = {
        "dataset": "streets",
        "format": 1,
        "class_names": list(CLASSES),
        "num_train": num_train,
        "num_val": num_val,
        "seed": seed,
        "size": size,
    }
    files = [NAMES, *(file for split in SPLITS for file in _files(split, counts[split]))]
    if is_complete(root, parameters, files):
        return root
    with appearing_whole(root, parameters, files) as folder:
        for number, split in enumerate(SPLITS):
            for what in WHAT:
                (folder / what / split).mkdir(parents=True)
            write = partial(_write, folder, split, key=(seed, number), size=size)
            render_split(write, counts[split], split, progress=progress)
        write_lines(folder / NAMES, CLASSES)
    return root


def _write(folder: Path, split: str, index: int, *, key: tuple[int, int], size: int) -> None:
    """Render the picture of this number and its mask."""
    pair = render_street(
        tuple(LAMPS)[index % 2],
        crossed_left=index // 2 % 2 == 1,
        seed=(*key, index),
        size=size,
    )
    for what, values in zip(WHAT, pair, strict=True):
        Image.fromarray(values).save(folder / _file(what, split, index))


def _files(split: str, count: int) -> list[str]:
    return [_file(what, split, index) for what in WHAT for index in range(count)]


def _file(what: str, split: str, index: int) -> str:
    return f"{what}/{split}/{index:06d}.png"
