"""What the tools for trained networks share: a device, a progress bar, tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from tqdm import tqdm


def default_device() -> str:
    """Where networks run if nobody says so."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class Bar:
    """A bar on a terminal, nothing elsewhere; call it with the number done and that of all."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, leave=False, dynamic_ncols=True, disable=None)

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()


def table(rows: Sequence[tuple[str, float]]) -> str:
    """Class names with percents and bars, a line each."""
    width = max((len(name) for name, _ in rows), default=0)
    lines = [
        f"  {name:<{width}}  {100 * value:5.1f}%  {_bar(value)}".rstrip() for name, value in rows
    ]
    return "\n".join(lines)


def _bar(value: float) -> str:
    full = round(30 * value)
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    return ("#" if plain else "█") * full


def say(*words: Any) -> None:
    """To stderr, above the bar."""
    tqdm.write(" ".join(map(str, words)), file=sys.stderr)
