"""What `glore-video compare` and `report` ask of a task: of tests that are over, from the files they left."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from glore_video.choices import Backend, Correction, Match
from glore_video.errors import MissingFileError, UsageError
from glore_video.reports.pages import p_value, printable, signed
from glore_video.statistics.significance import holm


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """What the user asks for.

    Attributes:
        first: a run, or the seeds of one network: OUTPUT_DIRs, test folders or files.
        others: each is compared with the first.
        match: by what samples are the same.
        allow_missing: compare those that all runs have.
        correction: for many classes; None: the usual one.
    """

    first: Sequence[str]
    others: Sequence[Sequence[str]]
    match: Match = "path"
    allow_missing: bool = False
    correction: Correction | None = None


@dataclass(frozen=True)
class Compared:
    """What has come of it: lines for a terminal, and what writes comparison.json and comparison.html."""

    lines: Sequence[str]
    write: Callable[[Path], None]


class SavedTests(Protocol):
    """A task's module that compares its tests, and writes their pages anew."""

    @property
    def FILE(self) -> str:  # noqa: N802
        """Of a test: "scores.npz"."""

    @property
    def ARRAY(self) -> str:  # noqa: N802
        """That such a file has, and those of other tasks have not."""

    @property
    def WORDS(self) -> str:  # noqa: N802
        """What its tests are of: "a segmentation"."""

    @property
    def FLAGS(self) -> frozenset[str]:  # noqa: N802
        """Flags of the commands that mean something to it, and not to others."""

    def compared(self, request: CompareRequest) -> Compared: ...

    def rebuilt(self, folder: Path, *, pictures: bool, backend: Backend) -> Path:
        """Write report.html of the test in a folder anew, and return its path.

        Args:
            pictures: read samples again, to show them.
            backend: that reads videos.
        """


def of_one_task(modules: Sequence[SavedTests], paths: Sequence[str]) -> SavedTests:
    """What knows these tests.

    Raises:
        MissingFileError: a run is not there, or has no test.
        UsageError: they are of several tasks.
    """
    found = [_of(modules, Path(path)) for path in paths]
    for path, other in zip(paths, found, strict=True):
        if other is not found[0]:
            raise UsageError(
                f"{paths[0]} is a test of {found[0].WORDS}, {path} of {other.WORDS}: only tests of one "
                "task can be compared"
            )
    return found[0]


def _of(modules: Sequence[SavedTests], path: Path) -> SavedTests:
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder")
    for module in modules:
        if any((path / part / module.FILE).is_file() for part in (".", "test")):
            return module
    names = " or ".join(module.FILE for module in modules)
    if path.is_dir():
        raise MissingFileError(f"{path}: holds no {names}, and its folder test neither")
    for module in modules:
        if module.ARRAY in _arrays_in(path):
            return module
    raise UsageError(f"{path}: is no {names} of a test")


def _arrays_in(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError):
        return []


def run_name(sources: Sequence[str], file: str) -> str:
    """The run's folder: of outputs/x/test/scores.npz it is x."""
    names = []
    for source in sources:
        parts = [part for part in Path(source).parts if part not in ("test", file, "/")]
        names.append(parts[-1] if parts else source)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def spread(values: Sequence[float]) -> str:
    """Standard deviation over runs, for people."""
    return signed(float(np.std(values, ddof=1)))[1:] if len(values) > 1 else "-"


def corrected(values: Sequence[float | None]) -> list[float | None]:
    """p of each comparison, after Holm for as many as have one."""
    known = iter(holm([p for p in values if p is not None]))
    return [None if p is None else next(known) for p in values]


def verdict(difference: float, interval: tuple[float, float], *, p: float | None) -> str:
    """One sentence. p: of the test that decides, corrected if there are several comparisons."""
    better = "second" if difference > 0 else "first"
    if p is None:
        low, high = interval
        if low <= 0 <= high:
            return "The interval of the difference holds 0."
        return f"The {better} is better: the interval of the difference does not hold 0."
    if p < 0.05:
        return f"The {better} is better: p {p_value(p)}."
    return f"The difference can't be told from chance: p {p_value(p)}."


def group_line(
    figure: str, name: str, values: Sequence[float], interval: tuple[float, float]
) -> str:
    """A figure of one run, or of the seeds of one network."""
    more = f", standard deviation over {len(values)} runs {spread(values)}"
    return (
        f"{figure} {name:<6} {np.mean(values):6.2f}%  95%: {interval[0]:.2f} to {interval[1]:.2f}"
        f"{more if len(values) > 1 else ''}"
    )


def difference_line(difference: float, interval: tuple[float, float], samples: str) -> str:
    """samples: "500 pictures"."""
    return f"difference   {difference:+6.2f}   95%: {interval[0]:+.2f} to {interval[1]:+.2f}  ({samples})"


def missing_line(source: str, paths: Sequence[str], samples: str) -> str:
    """Samples that other runs have and this one has not."""
    return f"{source} lacks {len(paths)} {samples}, {printable(paths[0])} among them"
