"""The learning rate as a pure function of the (fractional) epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Policy = Literal["cosine", "poly", "steps_with_relative_lrs"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Linear warm-up, then cosine, polynomial or steps, with SlowFast's rules (utils/lr_policy.py).

    The warm-up ends at the rate that the policy gives at `warmup_epochs`; one that is no shorter
    than the run, where the policy gives none, rises towards the rate that the policy begins with.
    The polynomial is (1 - share of the epochs done) ** poly_power, as DeepLab's and most recipes for
    segmentation have it; it ends where the cosine does, and starts after the warm-up likewise.
    `steps` are the epochs at which each of `relative_lrs` (times base_lr) begins, the first of them
    0.
    """

    policy: Policy
    base_lr: float
    max_epoch: float
    warmup_epochs: float = 0.0
    warmup_start_lr: float = 0.0
    cosine_end_lr: float = 0.0
    cosine_after_warmup: bool = False
    poly_power: float = 0.9
    steps: tuple[float, ...] = ()
    relative_lrs: tuple[float, ...] = ()

    def at(self, epoch: float) -> float:
        """Learning rate at a fractional epoch, 0 <= epoch <= max_epoch."""
        if epoch < self.warmup_epochs:
            end = self._after_warmup()
            return self.warmup_start_lr + (end - self.warmup_start_lr) * epoch / self.warmup_epochs
        return self._policy_at(epoch)

    def _after_warmup(self) -> float:
        if self.warmup_epochs < self.max_epoch:
            return self._policy_at(self.warmup_epochs)
        steps = self.policy == "steps_with_relative_lrs"
        return self.base_lr * (self.relative_lrs[0] if steps else 1.0)

    def _policy_at(self, epoch: float) -> float:
        if self.policy == "steps_with_relative_lrs":
            current = max(i for i, step in enumerate(self.steps) if step <= epoch)
            return self.base_lr * self.relative_lrs[current]
        offset = self.warmup_epochs if self.cosine_after_warmup else 0.0
        done = min((epoch - offset) / max(self.max_epoch - offset, 1e-9), 1.0)
        if self.policy == "poly":
            share = (1.0 - done) ** self.poly_power
        else:
            share = 0.5 * (1.0 + math.cos(math.pi * done))
        return self.cosine_end_lr + (self.base_lr - self.cosine_end_lr) * share
