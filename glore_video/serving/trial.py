"""Looking into an upload in a process that can be killed: what hangs or crashes it ends there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from glore_video.data.watchdog import Watchdog


class Trial:
    """For one upload after the other; the others wait. Without fork it happens in this process.

    Args:
        seconds: that decoding a whole file may take.
    """

    def __init__(self, seconds: float) -> None:
        self._watchdog = Watchdog(seconds)
        self._lock = threading.Lock()

    def run(self, function: Callable[..., Any], path: str, *arguments: Any) -> Any:
        """function(path, *arguments), of the module's top, which looks into the file at `path`.

        Raises what it raises, and SampleError if it takes too long or crashes the decoder.
        """
        with self._lock:
            if not hasattr(os, "fork"):
                return function(path, *arguments)
            return self._watchdog.call(function, path, path, *arguments)

    def close(self) -> None:
        with self._lock:
            self._watchdog.close()
