"""How often a run validates, saves and logs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """Epochs and steps are counted from 1: those that are done.

    Attributes:
        max_epoch: epochs of the run.
        eval_period, checkpoint_period: epochs between validations, between checkpoints; both come
            after the last epoch too.
        checkpoint_steps: steps between checkpoints within an epoch; 0 for none.
        log_period: steps between log lines.
    """

    max_epoch: int
    eval_period: int
    checkpoint_period: int
    checkpoint_steps: int
    log_period: int

    def is_last(self, epoch: int) -> bool:
        return epoch == self.max_epoch

    def validates(self, epoch: int) -> bool:
        return self.is_last(epoch) or epoch % self.eval_period == 0

    def saves(self, epoch: int) -> bool:
        return self.is_last(epoch) or epoch % self.checkpoint_period == 0

    def saves_within(self, step: int) -> bool:
        """Whether this step of an epoch is one to save after."""
        return bool(self.checkpoint_steps) and step % self.checkpoint_steps == 0

    def logs(self, step: int, *, of: int) -> bool:
        """Whether this step, of so many in an epoch, is one to log."""
        return step % self.log_period == 0 or step == of
