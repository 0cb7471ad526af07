"""Training videos that could not be read: named once, counted, and too many of them stop the run."""

from __future__ import annotations

import logging

from glore_video.data.batches import Batch
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)

# Below this number they never stop a run, whatever their share.
_FEW = 8


class BadVideos:
    """Of one process.

    Attributes:
        reasons: path -> reason.
    """

    def __init__(self, max_fraction: float) -> None:
        self.reasons: dict[str, str] = {}
        self._max_fraction = max_fraction
        self._draws = 0
        self._failures = 0

    def note(self, batch: Batch) -> None:
        """Raises ValueError past the greatest share of draws that may fail."""
        self._draws += len(batch.indices) + len(batch.failures)
        self._failures += len(batch.failures)
        for path, reason in batch.failures:
            if path not in self.reasons:
                self.reasons[path] = reason
                logger.warning("unreadable video, another takes its place: %s: %s", path, reason)
        if len(self.reasons) >= _FEW and self._failures > self._max_fraction * self._draws:
            raise UsageError(
                f"{self._failures} of {self._draws} training videos could not be read, more "
                f"than DATA.MAX_BAD_FRACTION = {self._max_fraction}; log.txt names them"
            )
