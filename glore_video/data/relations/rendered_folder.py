"""A folder of rendered samples: complete under its name, or not there; reused where it is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from glore_video.data.folders import listed
from glore_video.errors import UsageError
from glore_video.files.whole_folders import whole_folder
from glore_video.processes.cpus import usable_cpus

T = TypeVar("T")

METADATA_NAME = "relations.json"
DATASETS = ("relations", "relation pictures", "streets")
LISTS = ("train.csv", "val.csv", "test.csv")


class OtherParametersError(UsageError):
    """The folder holds a relations dataset of other parameters than are asked for.

    Attributes:
        root: the folder.
        differing: name of a parameter -> what the folder has, and what is asked for.
    """

    def __init__(self, root: Path, differing: dict[str, tuple[object, object]]) -> None:
        words = "; ".join(f"{name} is {a!r}, not {b!r}" for name, (a, b) in differing.items())
        super().__init__(
            f"{root} holds a relations dataset with other parameters: {words}; name another folder"
        )
        self.root = root
        self.differing = differing


class OtherFilesError(UsageError):
    """The folder is there and holds what was not rendered here: it may be somebody's only copy."""


@contextmanager
def appearing_whole(
    root: Path, parameters: Mapping[str, object], files: Sequence[str]
) -> Iterator[Path]:
    """A folder beside root to render into, which becomes root when all is done.

    Its parameters are written beside what was rendered. If anything fails, nothing is left.

    Args:
        files: as `is_complete` takes them.
    """
    with whole_folder(root, is_there=lambda: is_complete(root, parameters, files)) as partial:
        yield partial
        write_lines(partial / METADATA_NAME, [json.dumps(parameters, indent=2)])


def is_complete(root: Path, parameters: Mapping[str, object], files: Sequence[str]) -> bool:
    """True: this very dataset is there. False: nothing is. ValueError: something else is.

    Args:
        files: that it consists of; with LISTS among them also the files that these list.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / METADATA_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("dataset") not in DATASETS:
        raise OtherFilesError(f"{root} is no rendered dataset; there is {_what_is_in(root)}")
    differing = {
        name: (found.get(name), value)
        for name, value in parameters.items()
        if found.get(name) != value
    }
    if "dataset" in differing:  # which says it all
        differing = {"dataset": differing["dataset"]}
    if differing:
        raise OtherParametersError(root, differing)
    needed = [*files]
    for name in LISTS:
        if name in files and (root / name).is_file():
            lines = (root / name).read_text("utf-8", "replace").splitlines()
            needed += [line.rpartition(" ")[0] for line in lines]
    missing = [name for name in needed if not (root / name).is_file()]
    if missing:
        raise UsageError(
            f"{root} holds an incomplete relations dataset: {len(missing)} of {len(needed)} files "
            f"are missing, such as {missing[0]}; name another folder"
        )
    return True


def render_split(render: Callable[[int], T], count: int, split: str, *, progress: bool) -> list[T]:
    """What `render` returns for each sample 0 .. count - 1, several at a time, under a progress bar."""
    # Encoders release the GIL, and threads, unlike processes, need nothing of the caller.
    executor = ThreadPoolExecutor(min(4, usable_cpus()))
    try:
        rendered = executor.map(render, range(count))
        return list(
            tqdm(rendered, total=count, desc=f"render {split}", disable=None if progress else True)
        )
    finally:
        executor.shutdown(cancel_futures=True)


def _what_is_in(path: Path) -> str:
    if not path.is_dir():
        return "a file of that name"
    names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in path.iterdir())
    return f"{listed(names, most=4)} in it"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
