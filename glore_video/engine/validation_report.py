"""What is logged of a validation: of the network, and of the moving average of its weights."""

from __future__ import annotations

import logging

from glore_video.engine.protocols import Meter, ValidationData, Words
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.validation import Validation
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)

_NAMED = 4


class ValidationReport:
    """Of one epoch.

    Args:
        epoch: after which it is, from 1.
    """

    def __init__(self, epoch: int, data: ValidationData, meter: Meter, words: Words) -> None:
        self._epoch = epoch
        self._expected = len(data.samples)
        self._meter = meter
        self._words = words
        self._values: dict[str, float] = {}
        self._last: Validation | None = None

    def add(self, prefix: str, result: Validation) -> None:
        """Log a result; its figures get the prefix, "ema_" of the moving average, which comes last.

        Raises UsageError if nothing could be read.
        """
        samples, expected = self._words.samples, self._expected
        if not result.scored:
            raise UsageError(f"none of the {expected} validation {samples} could be read")
        self._last = result
        self._values |= {f"{prefix}{name}": value for name, value in result.figures.items()}
        after = f"{self._epoch}{', moving average' if prefix else ''}"
        validated = f", {self._words.validated}" if self._words.validated else ""
        logger.info(
            "validation after epoch %s: %s, loss %.4f (%d of %d %s%s)",
            *(after, self._meter.text(result.figures, 2), result.figures["loss"]),
            *(result.scored, expected, samples, validated),
        )
        if bad := result.not_finite:
            logger.warning(
                "validation after epoch %s: the network's scores of %d %s are not finite; they "
                "count as wrong, and this is no best checkpoint: %s%s",
                *(after, len(bad), samples, ", ".join(bad[:_NAMED])),
                ", ... (log.txt)" if len(bad) > _NAMED else "",
            )
            logger.debug("not finite: %s", ", ".join(bad))

    def write(self, metrics: MetricsLog, *, step: int) -> float:
        """The metrics of all results; returns the last one's main figure, NaN if not all is finite."""
        assert self._last is not None
        for path, reason in self._last.failed:
            logger.warning("not validated, unreadable: %s: %s", path, reason)
        samples = self._words.samples
        metrics.write(
            "val_epoch",
            step=step,
            epoch=self._epoch,
            **self._values,
            **{
                f"{samples}_expected": self._expected,
                f"{samples}_scored": self._last.scored,
                f"{samples}_not_finite": len(self._last.not_finite),
            },
        )
        return float("nan") if self._last.not_finite else self._last.figures[self._meter.main]
