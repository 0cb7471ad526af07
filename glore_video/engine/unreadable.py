"""Training samples that could not be read: named once, counted, and too many of them stop the run."""

from __future__ import annotations

import logging

from torch import Tensor

from glore_video.engine.protocols import Batch, Words
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)

# Below this number they never stop a run, whatever their share.
_FEW = 8


class UnreadableSamples:
    """Of one process.

    Attributes:
        reasons: path -> reason.
    """

    def __init__(self, max_fraction: float, words: Words) -> None:
        self.reasons: dict[str, str] = {}
        self._words = words
        self._max_fraction = max_fraction
        self._draws = 0
        self._failures = 0

    def note(self, batch: Batch) -> None:
        """Raises UsageError past the greatest share of draws that may fail."""
        self._draws += len(batch.indices) + len(batch.failures)
        self._failures += len(batch.failures)
        for path, reason in batch.failures:
            if path not in self.reasons:
                self.reasons[path] = reason
                logger.warning(
                    "unreadable %s, another takes its place: %s: %s",
                    *(self._words.sample, path, reason),
                )
        if len(self.reasons) >= _FEW and self._failures > self._max_fraction * self._draws:
            raise UsageError(
                f"{self._failures} of {self._draws} training {self._words.samples} could not be "
                f"read, more than DATA.MAX_BAD_FRACTION = {self._max_fraction}; log.txt names them"
            )

    def inputs(self, batch: Batch) -> Tensor:
        """Those of the batch. Raises UsageError if it has none."""
        if batch.inputs is None:
            raise UsageError(
                f"no readable {self._words.sample} among 20 drawn for each {self._words.input} of "
                "a batch"
            )
        return batch.inputs
