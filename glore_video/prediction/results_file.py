"""A CSV of predictions that grows file by file, and from which a stopped run goes on."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from glore_video.errors import UsageError, writing
from glore_video.files.csv_cells import original, protected
from glore_video.files.whole_files import replace_file
from glore_video.tasks.predictor import Measure, Predictor

PLACES = 5


def columns(measure: Measure = "probability") -> tuple[str, ...]:
    """The first line. Args: measure: what the numbers beside the classes are."""
    top = (f"top{n}_{what}" for n in range(1, PLACES + 1) for what in ("name", measure))
    return ("path", "status", "reason", "network", *top)


COLUMNS = columns()


@dataclass(frozen=True)
class Result:
    """One file: its first classes, or why there are none.

    Attributes:
        path: the file.
        network: `fingerprint` of what made the prediction.
        top: (class name, number in 0..1), the greatest first; empty for a file that failed.
        reason: why it failed.
    """

    path: str
    network: str
    top: tuple[tuple[str, float], ...] = ()
    reason: str = ""

    @property
    def failed(self) -> bool:
        return not self.top

    def cells(self) -> list[str]:
        reason = " ".join(self.reason.split())
        cells = [protected(self.path), "failed" if self.failed else "ok", protected(reason)]
        cells.append(self.network)
        for name, value in self.top[:PLACES]:
            cells += [protected(name), f"{value:.6f}"]
        return cells + [""] * (len(COLUMNS) - len(cells))

    @classmethod
    def of(cls, cells: Sequence[str]) -> Result:
        pairs = zip(cells[4::2], cells[5::2], strict=True)
        top = tuple((original(name), float(value)) for name, value in pairs if value)
        return cls(original(cells[0]), cells[3], top, original(cells[2]))


def fingerprint(predictor: Predictor) -> str:
    """Eight letters that differ between networks, weights and views."""
    digest = hashlib.sha256()
    for key, tensor in sorted(predictor.network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    digest.update(predictor.settings.encode())
    return digest.hexdigest()[:8]


class ResultsFile:
    """FILE.csv, and beside it, while it is made, FILE.csv.partial-<rank> of each process.

    Args:
        path: of the finished file.
        rank: this process' number.
        measure: what the numbers beside the classes are.
    """

    def __init__(self, path: Path, *, rank: int = 0, measure: Measure = "probability") -> None:
        self.path = path
        self._columns = columns(measure)
        self._own = path.with_name(f"{path.name}.partial-{rank}")

    def known(self, network: str) -> dict[str, Result]:
        """Files that this network was already shown, also by a run that was stopped.

        Those that failed are not among them: they are tried again.

        Raises ValueError if FILE.csv is there and is something else.
        """
        if self.path.exists() and not _is_ours(self.path, self._columns):
            raise UsageError(f"{self.path}: there, but not written by this; name another file")
        found: dict[str, Result] = {}
        for path in (self.path, *self._partials()):
            found.update({result.path: result for result in _read(path)})
        return {
            path: result
            for path, result in found.items()
            if result.network == network and not result.failed
        }

    def append(self, results: Iterable[Result]) -> None:
        """Adds results; a run that is killed afterwards keeps them."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(result.cells() for result in results)
        _repair(self._own)
        with (
            writing(self._own),
            self._own.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            file.write(text.getvalue())

    def finish(self, order: Sequence[str], known: dict[str, Result]) -> list[Result]:
        """Puts all processes' results together, in this order, and removes the partial files.

        What FILE.csv knew of other files stays in it, after them, and is not returned.
        """
        asked = set(order)
        others = [r for r in _read(self.path) if r.path not in asked and not r.failed]
        found = dict(known)
        for path in self._partials():
            found.update({result.path: result for result in _read(path)})
        results = [found[path] for path in order if path in found]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._columns)
        writer.writerows(result.cells() for result in [*results, *others])
        replace_file(self.path, text.getvalue().encode("utf-8", "surrogateescape"))
        for path in self._partials():
            path.unlink()
        return results

    def _partials(self) -> list[Path]:
        start = f"{self.path.name}.partial-"
        folder = self.path.parent
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        return [folder / name for name in names if name.startswith(start)]


def _is_ours(path: Path, first: tuple[str, ...]) -> bool:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        try:
            return next(csv.reader(file), None) == list(first)
        except csv.Error:
            return False


def _read(path: Path) -> list[Result]:
    if not path.exists():
        return []
    content = path.read_bytes().decode("utf-8", "surrogateescape")
    whole = content[: content.rfind("\n") + 1]  # a run may have been killed within a line
    results = []
    reader = csv.reader(io.StringIO(whole))
    try:
        for cells in reader:
            if len(cells) == len(COLUMNS) and cells[1] in ("ok", "failed"):
                results.append(Result.of(cells))
    except (csv.Error, ValueError) as error:
        raise UsageError(
            f"{path}:{reader.line_num}: no results of predictions ({error}); move it away"
        ) from None
    return results


def _repair(path: Path) -> None:
    """Cuts off a line that a killed run did not finish."""
    if path.exists():
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
