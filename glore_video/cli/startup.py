"""A line on the terminal before what takes seconds to import: a command is not silent at its start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


def say_when_imported(
    module: str = "torch", line: str = "loading torch, a few seconds ..."
) -> None:
    """Have a line on stderr as soon as a module begins to be imported, once.

    Where stderr is no terminal nobody waits before it, so nothing is said. Help and wrong arguments
    answer without torch, so nothing is said there either.
    """
    main = os.environ.get("RANK", "0") == "0"  # one process speaks for all of torchrun's
    if main and sys.stderr is not None and sys.stderr.isatty() and module not in sys.modules:
        sys.meta_path.insert(0, _Saying(module, line))


class _Saying(MetaPathFinder):
    """Finds nothing itself; the finders after it do."""

    def __init__(self, module: str, line: str) -> None:
        self._module = module
        self._line = line

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname == self._module:
            sys.meta_path.remove(self)
            print(self._line, file=sys.stderr, flush=True)
