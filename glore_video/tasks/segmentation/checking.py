"""Before a run: can every picture and its mask be used, and does every class occur?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tqdm import tqdm

from glore_video.data.check_tables import check_table, count_lines, fault_lines
from glore_video.data.masks.checking import MaskCheck, PairCheck, check_masks
from glore_video.data.masks.layouts import Layout, find_layout, layouts_in
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.numbering import SPLITS
from glore_video.errors import Failure, MissingFileError, UsageError, naming
from glore_video.tasks.sample_checks import FAULTY, CheckRequest

FLAGS = frozenset({"--split", "--like"})
_COLUMNS = ("split", "picture", "mask", "status", "file", "reason", "width", "height", "ignored")
_STATUSES = ("ok", "unreadable", "size", "numbers", "missing")


def takes(source: Path, separator: str) -> bool:
    return source.is_dir() and any(layout.splits() for layout in layouts_in(source))


def check(request: CheckRequest, say: Callable[[str], None]) -> int:
    """Read all pictures and masks of a data folder, and write a table with the pixels of each class."""
    if not request.source.is_dir():
        raise MissingFileError(f"{request.source}: no such folder")
    layout = find_layout(Path(os.path.abspath(request.source)))
    with naming(f"--like {request.like}") if request.like else nullcontext():
        classes = layout.classes(request.like or "")
    faulty, seen = False, set[tuple[str, str]]()
    # The class names last: one of them may be called as a column is.
    columns = (*_COLUMNS, *(f"pixels of {name}" for name in classes.names))
    with check_table(request.table, columns) as add:
        for split in _splits(layout, request.split):
            samples = layout.load(split, complete=False)
            pairs = {_pair(samples, index) for index in range(len(samples))}
            if pairs and pairs <= seen and not samples.left_out:
                say(f"{split}: its {len(pairs)} pairs are among those above")
                continue
            seen |= pairs
            with tqdm(total=len(samples), desc=split, disable=None, leave=False) as bar:
                found = check_masks(
                    samples, classes, threads=request.at_once, progress=lambda _: bar.update()
                )
            for pair in found.pairs:
                add({"split": split, **_row(samples, pair, columns)})
            for path, reason in samples.left_out:
                add({"split": split, "status": "missing", "file": path, "reason": reason})
            faulty |= bool(found.faults or samples.left_out)
            for line in _lines(split, samples, found, str(request.table)):
                say(line)
    say(f"wrote {request.table}")
    return FAULTY if faulty else 0


def _splits(layout: Layout, wanted: str) -> tuple[str, ...]:
    there = layout.splits()
    if not there:
        raise UsageError(f"{layout.root}: no split in it: {layout.name}")
    if wanted and wanted not in there:
        raise UsageError(f"--split {wanted}: {layout.root} has {', '.join(there)}")
    # Lists such as trainval come last: they repeat others.
    return (wanted,) if wanted else tuple(sorted(there, key=lambda name: name not in SPLITS))


def _pair(samples: MaskedList, index: int) -> tuple[str, str]:
    return samples.path(index), samples.mask(index)


def _row(samples: MaskedList, pair: PairCheck, columns: tuple[str, ...]) -> Mapping[str, Any]:
    picture, mask = _pair(samples, pair.index)
    row = {
        "picture": picture,
        "mask": mask,
        "status": pair.status,
        "file": pair.path,
        "reason": pair.reason,
        "width": pair.width,
        "height": pair.height,
    }
    if pair.status != "ok":
        return row
    *pixels, ignored = pair.pixels.tolist()
    return row | {"ignored": ignored} | dict(zip(columns[len(_COLUMNS) :], pixels, strict=True))


def _lines(split: str, samples: MaskedList, found: MaskCheck, table: str) -> Iterator[str]:
    """What the user should know of a split."""
    yield f"{split}: {samples.source}"
    yield from samples.notes
    statuses = [pair.status for pair in found.pairs] + ["missing"] * len(samples.left_out)
    yield from count_lines(statuses, _STATUSES)
    faults: list[Failure] = [(pair.path, pair.reason) for pair in found.faults]
    yield from fault_lines([*faults, *samples.left_out], table)
    pixels, masks = found.pixels, found.occurs_in
    total = max(1, int(pixels.sum()) + found.ignored)
    width = max(len("ignored"), *(len(name) for name in found.classes.names))
    yield f"{'class':<{width}}{'pixels':>16}{'':>9}{'masks':>9}"
    for name, count, number in zip(
        found.classes.names, pixels.tolist(), masks.tolist(), strict=True
    ):
        yield f"{name:<{width}}{count:>16,}{100 * count / total:>8.2f}%{number:>9}"
    yield f"{'ignored':<{width}}{found.ignored:>16,}{100 * found.ignored / total:>8.2f}%"
    if found.absent:
        yield f"no pixel is of {', '.join(found.absent)}"
