"""A small set of pictures that the package renders itself: `relations`, for picture classification.

Two far-apart objects are each striped in one of four directions; labels.py has the two labellings.
"""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from glore_video.data.relations.data_set import RelationsSet, render_set
from glore_video.data.relations.labels import Labels
from glore_video.data.relations.picture_rendering import STRIPES, render_picture
from glore_video.data.relations.scene import check_size


def render_relation_pictures(
    root: str | os.PathLike[str],
    *,
    labels: Labels,
    num_train: int = 2000,
    num_val: int = 400,
    seed: int = 0,
    size: int = 64,
    progress: bool = True,
) -> Path:
    """Render PNG pictures into a folder, or reuse it where the same ones are there already.

    See `render_set` for what it then holds.

    Args:
        root: the folder to make; its parents are made too.
        labels: "pair" or "same".
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
    check_size(size)
    data = RelationsSet(
        name="relation pictures",
        format=1,
        labels=labels,
        kinds=STRIPES,
        num_train=num_train,
        num_val=num_val,
        seed=seed,
        suffix=".png",
        shape={"size": size},
    )

    def write(path: Path, kinds: tuple[str, str], key: list[int]) -> None:
        Image.fromarray(render_picture(kinds, seed=key, size=size)).save(path)

    return render_set(Path(root), data, write, progress=progress)
