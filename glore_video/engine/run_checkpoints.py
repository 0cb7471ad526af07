"""The checkpoints of one run: saved where it is, gone on from when it starts again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glore_video.engine.checkpoint import (
    BEST_NAME,
    checkpoint_path,
    latest_readable,
    remove_old_checkpoints,
    save_checkpoint,
)
from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import TrainingOrder, Words
from glore_video.engine.resume import ResumePoint, collect_state, restore_state
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.train_step import TrainStep

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class RunCheckpoints:
    """Every process must call its methods.

    Attributes:
        keep: checkpoints after whole epochs to keep; 0 for all.
        extras: plain values that go into every checkpoint (config, class names).
        best: the greatest main figure of the validations so far.
    """

    output_dir: Path
    train_step: TrainStep
    order: TrainingOrder
    process: Process
    words: Words
    keep: int
    extras: dict[str, Any]
    best: float = -1.0

    def path(self, at: ResumePoint) -> Path:
        return checkpoint_path(self.output_dir, at.epoch, at.step)

    def save(self, at: ResumePoint, *, path: Path | None = None, last: bool = False) -> None:
        """Save the state at this point. If it can't be written, only the `last` one stops the run."""
        self.process.doing("saving a checkpoint")
        state = collect_state(
            self.train_step, self.order, self.process, replace(at, best=self.best)
        )
        if self.process.is_main:
            path = path or self.path(at)
            try:
                save_checkpoint(path, {**state, **self.extras})
            except OSError as error:
                if last:
                    raise
                logger.error("%s; the run goes on", error)
            else:
                remove_old_checkpoints(self.output_dir, keep=self.keep)
                logger.info("saved %s", path)
        self.process.barrier()

    def save_best(self, at: ResumePoint) -> None:
        self.save(at, path=self.output_dir / "checkpoints" / BEST_NAME)

    def resume(self, metrics: MetricsLog, *, max_epoch: int) -> ResumePoint:
        """Where the run goes on, its state being put back; the start if it has no checkpoint.

        What the run wrote to its metrics after that point is dropped.
        """
        found = latest_readable(self.output_dir)
        name = found[0].name if found else "none"
        self.process.agree(name, what="the last checkpoint in OUTPUT_DIR")
        if found is None:
            metrics.forget_after(-1)  # what a run wrote that was killed before its first one
            return ResumePoint()
        path, state = found
        at = restore_state(state, path, self.train_step, self.order, self.process, self.words)
        self.best = at.best
        metrics.forget_after(at.epoch * self.order.steps_per_epoch + at.step)
        if at.epoch >= max_epoch and not at.end_due:
            logger.info(
                "%s: all %d epochs are trained already (TRAIN.AUTO_RESUME False starts anew)",
                *(path, max_epoch),
            )
        else:
            logger.info("resuming from %s", path)
        return at
