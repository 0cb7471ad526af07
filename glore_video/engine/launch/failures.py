"""What the first process of a run to fail tells the others, by way of the job's store."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from socket import gethostname

from torch.distributed import Store

from glore_video.processes import waiting_times

_FAILED = "failed"


class Failures:
    """Of the processes that share a store.

    Args:
        rank: of this process.
    """

    def __init__(self, store: Store, rank: int, host: str = "") -> None:
        self._store = store
        self._rank = rank
        self._host = host or gethostname()

    def tell(self, line: str) -> bool:
        """This process has failed, or if the line is empty, it ends as it was asked to.

        Returns whether it is the one on its machine that speaks.
        """
        self._store.set_timeout(timedelta(seconds=waiting_times.STORE))
        speaks = self.speaks_here()
        with suppress(RuntimeError):
            if line and not self._store.check([_FAILED]):
                who = f"rank {self._rank} on {self._host}"
                self._store.set(_FAILED, json.dumps(f"{who} has failed: {line}"))
        return speaks

    def speaks_here(self) -> bool:
        """Whether this process is the first on its machine that says why the run ends."""
        with suppress(RuntimeError):
            return self._store.add(f"spoken on {self._host}", 1) == 1
        return True

    def first(self) -> str:
        """What the first process to fail has said; empty if none has, or if nobody can tell."""
        with suppress(RuntimeError):
            if self._store.check([_FAILED]):
                return str(json.loads(self._store.get(_FAILED)))
        return ""
