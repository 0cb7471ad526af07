"""The `relations` data sets on disk: splits, lists, class names and parameters of any rendered samples."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glore_video.data.relations.labels import Labels, class_names, kinds_and_label
from glore_video.data.relations.rendered_folder import (
    LISTS,
    appearing_whole,
    is_complete,
    render_split,
    write_lines,
)
from glore_video.errors import UsageError

NAMES = "class_names.txt"


@dataclass(frozen=True, kw_only=True)
class RelationsSet:
    """What a data set holds.

    Attributes:
        name: one of DATASETS.
        format: raised when the same parameters would give other samples.
        labels: "pair" or "same".
        kinds: of an object.
        num_train, num_val: samples in each split, at least 1.
        seed: non-negative; the same parameters give the same samples.
        suffix: of the files, such as ".png".
        shape: what else the samples depend on, by name.
    """

    name: str
    format: int
    labels: Labels
    kinds: Sequence[str]
    num_train: int
    num_val: int
    seed: int
    suffix: str
    shape: dict[str, int]

    @property
    def parameters(self) -> dict[str, object]:
        return {
            "dataset": self.name,
            "format": self.format,
            "labels": self.labels,
            "class_names": class_names(self.labels, self.kinds),
            "num_train": self.num_train,
            "num_val": self.num_val,
            "seed": self.seed,
            **self.shape,
        }


Write = Callable[[Path, tuple[str, str], list[int]], None]
"""Renders a sample into a file: takes the path, the kinds of its objects, and its seed."""


def render_set(root: Path, data: RelationsSet, write: Write, *, progress: bool) -> Path:
    """Render a data set into a folder, or reuse it where the same one is there already.

    The folder then holds `<split>/<class>/<number><suffix>`; `train.csv`, `val.csv` and `test.csv`
    (lines of `path label`, paths relative to the folder; test repeats val); `class_names.txt` (a name
    a line, in the order of the labels); and `relations.json`, the parameters. It appears under its
    name only once complete; an interrupted run leaves nothing.

    Raises:
        ValueError: a parameter outside of its limits, or the folder holds something else: other
            parameters, an incomplete set, or files that are no relations data set.
    """
    check_least(num_train=(data.num_train, 1), num_val=(data.num_val, 1), seed=(data.seed, 0))
    parameters = data.parameters
    files = [*LISTS, NAMES]
    if is_complete(root, parameters, files):
        return root
    with appearing_whole(root, parameters, files) as partial:
        for split, count in (("train", data.num_train), ("val", data.num_val)):
            lines = _render_split(partial, data, write, split, count, progress=progress)
            write_lines(partial / f"{split}.csv", lines)
        shutil.copyfile(partial / "val.csv", partial / "test.csv")
        write_lines(partial / NAMES, class_names(data.labels, data.kinds))
    return root


def check_least(**values: tuple[int, int]) -> None:
    """Of each name its value and the least that it may be."""
    for name, (value, least) in values.items():
        if value < least:
            raise UsageError(f"{name} is {value}, but must be at least {least}")


def _render_split(
    folder: Path, data: RelationsSet, write: Write, split: str, count: int, *, progress: bool
) -> list[str]:
    """Render one split; return the lines of its list file."""
    names = class_names(data.labels, data.kinds)
    for name in names:
        (folder / split / name).mkdir(parents=True, exist_ok=True)

    def render(index: int) -> str:
        key = [data.seed, ("train", "val").index(split), index]
        drawn = np.random.default_rng([*key, 1])
        kinds, label = kinds_and_label(data.labels, data.kinds, index, drawn)
        path = f"{split}/{names[label]}/{index:06d}{data.suffix}"
        write(folder / path, kinds, key)
        return f"{path} {label}"

    return render_split(render, count, split, progress=progress)
