"""Configurations that come with the package, by name: `--cfg k400_glore_r50` works in any folder."""

from __future__ import annotations

import difflib
import re
from itertools import takewhile
from pathlib import Path

from glore_video.errors import MissingFileError

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """Where they lie: in the package once it is installed, in configs/ of a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def shipped_configs() -> dict[str, str]:
    """The names of those that can be run, each with the first sentence of its file."""
    found = {}
    for path in sorted(shipped_folder().glob("*.yaml")):
        if not path.stem.endswith("_base"):
            lines = path.read_text(encoding="utf-8").splitlines()
            head = takewhile(lambda line: line.startswith("#"), lines)
            text = " ".join(line.lstrip("# ") for line in head)
            found[path.stem] = re.split(r"(?<=\.)\s", text)[0]
    return found


def shipped_config(name: str) -> Path:
    """The file of a name, with or without .yaml.

    Raises:
        MissingFileError: there is none of this name; the message lists the near ones.
    """
    path = shipped_folder() / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        raise MissingFileError(f"{name}: no such configuration file{_near(name)}")
    return path


def find_config(name: str, folder: Path = Path()) -> Path:
    """The file of this path, seen from a folder; or else the shipped one of this name.

    Raises:
        MissingFileError: there is neither; the message lists what is near.
    """
    path = folder / name
    if path.is_file():
        return path
    if name == Path(name).name:
        shipped = shipped_folder() / f"{name.removesuffix('.yaml')}.yaml"
        if shipped.is_file():
            return shipped
    beside = [each.name for each in path.parent.glob("*.yaml")]
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"; did you mean {path.parent / near[0]}?" if near else _near(path.name)
    raise MissingFileError(f"{path}: no such configuration file{hint}")


def _near(name: str) -> str:
    name = name.removesuffix(".yaml")
    known = shipped_configs()
    near = [name] if name in known else difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}, which the package has?"
    return "; --list-configs lists those that the package has"
