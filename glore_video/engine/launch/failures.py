"""What the first process of a run to fail tells the others, by way of the job's store."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from socket import gethostname

from torch.distributed import Store

_FAILED, _COUNT = "failed", "failures"
_PATIENCE = timedelta(seconds=3)  # the store may be gone with the machine that has failed


class Failures:
    """Of the processes that share a store.

    Args:
        rank: of this process.
    """

    def __init__(self, store: Store, rank: int) -> None:
        self._store = store
        self._rank = rank

    def tell(self, line: str) -> bool:
        """This process has failed. Returns whether it is the first, whose line is the one to show."""
        host = gethostname()
        self._store.set_timeout(_PATIENCE)
        with suppress(RuntimeError):
            if self._store.add(_COUNT, 1) > 1:
                return False
            self._store.add(spoken_on(host), 1)
            self._store.set(_FAILED, json.dumps(f"rank {self._rank} on {host} has failed: {line}"))
        return True

    def speaks_here(self) -> bool:
        """Whether this process is the first on its machine that says why the run ends."""
        with suppress(RuntimeError):
            return self._store.add(spoken_on(gethostname()), 1) == 1
        return True

    def first(self) -> str:
        """What the first process to fail has said; empty if none has, or if nobody can tell."""
        with suppress(RuntimeError):
            if self._store.check([_FAILED]):
                return str(json.loads(self._store.get(_FAILED)))
        return ""


def spoken_on(host: str) -> str:
    """Key of the number of processes on a host that have said why the run ends."""
    return f"spoken on {host}"
