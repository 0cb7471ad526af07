"""A folder of rendered samples: complete under its name, or not there; reused where it is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from glore_video.data.folders import listed
from glore_video.errors import UsageError
from glore_video.files.whole_folders import whole_folder

METADATA_NAME = "relations.json"
DATASETS = ("relations", "relation pictures")


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
def appearing_whole(root: Path, parameters: Mapping[str, object]) -> Iterator[Path]:
    """A folder beside root to render into, which becomes root when all is done.

    Its parameters are written beside what was rendered. If anything fails, nothing is left.
    """
    with whole_folder(root, is_there=lambda: is_complete(root, parameters)) as partial:
        yield partial
        write_lines(partial / METADATA_NAME, [json.dumps(parameters, indent=2)])


def is_complete(root: Path, parameters: Mapping[str, object]) -> bool:
    """True: this very dataset is there. False: nothing is. ValueError: something else is."""
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
    needed = ["train.csv", "val.csv", "test.csv", "class_names.txt"]
    for split in ("train", "val"):
        if (root / f"{split}.csv").is_file():
            lines = (root / f"{split}.csv").read_text("utf-8", "replace").splitlines()
            needed += [line.rpartition(" ")[0] for line in lines]
    missing = [name for name in needed if not (root / name).is_file()]
    if missing:
        raise UsageError(
            f"{root} holds an incomplete relations dataset: {len(missing)} of {len(needed)} files "
            f"are missing, such as {missing[0]}; name another folder"
        )
    return True


def _what_is_in(path: Path) -> str:
    if not path.is_dir():
        return "a file of that name"
    names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in path.iterdir())
    return f"{listed(names, most=4)} in it"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
