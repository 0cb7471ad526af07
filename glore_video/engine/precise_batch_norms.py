"""Precise batch norm: statistics of many batches in place of running averages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.engine.launch.processes import Process
from glore_video.engine.protocols import PLAIN_WORDS, Words
from glore_video.engine.train_step import TrainStep
from glore_video.errors import UsageError
from glore_video.models.units.all_reduce import processes_of
from glore_video.models.units.as_written import as_written
from glore_video.models.units.glore_unit import GloreUnit

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BatchNormPolicy:
    """What becomes of the running statistics of batch norms in a run.

    Attributes:
        freeze: they are used in training, and stay as they are.
        precise_batches: over which they are taken anew before a validation or a checkpoint; 0 keeps
            the running averages.
    """

    freeze: bool = False
    precise_batches: int = 0


def settle_batch_norms(
    step: TrainStep,
    policy: BatchNormPolicy,
    batches: Callable[[], Iterable[Tensor]],
    *,
    steps_per_epoch: int,
    words: Words,
) -> None:
    """Statistics for what follows: precise ones if wanted, and one for all processes.

    Of the network, and of the moving average of its weights. Every process must call it.

    Args:
        batches: training inputs, normalised; each call begins anew.
    """
    models = [step.model, *([step.average.module] if step.average else [])]
    if policy.precise_batches and not policy.freeze:
        step.process.doing("precise batch norm")
        count = min(policy.precise_batches, steps_per_epoch)
        for model in models:
            with step.precision.autocast():
                unseen = take_precise_statistics(model, batches(), count, step.process, words)
        if unseen:
            logger.warning(
                "batch norms that no %s goes through keep their statistics: %s",
                *(words.input, ", ".join(unseen)),
            )
    for model in models:
        step.process.average_buffers(model)


@torch.no_grad()
def take_precise_statistics(
    model: nn.Module,
    batches: Iterable[Tensor],
    count: int,
    process: Process | None = None,
    words: Words = PLAIN_WORDS,
) -> list[str]:
    """Precise batch norm: running statistics anew, those of all values of `count` batches together.

    What fvcore's update_bn_stats computes ("Rethinking Batch in BatchNorm", section 3): of each
    norm the mean and the variance over the batches, weighted by their values a channel. It asks no
    norm to be called, since a GloRe unit may fold the norm into its products, and adds up in
    float64. A norm that no batch went through keeps its statistics, and so do all after an error.

    Args:
        model: is put in train mode.
        batches: fewer than `count` are an error.
        process: if there are several, the batches of all of them count.
        words: for errors.

    Returns:
        Names of the norms that no batch went through.

    Raises:
        UsageError: there are too few batches.
    """
    model.train()
    gathered = {
        name: _Population(module)
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }
    taken = 0
    try:
        with as_written(model), ExitStack() as hooks:
            _watch(model, {one.norm: one for one in gathered.values()}, hooks)
            for batch in islice(batches, count):
                model(batch)
                taken += 1
        if taken < count:
            raise UsageError(
                f"precise batch norm: only {taken} of {count} batches hold a readable "
                f"{words.sample}"
            )
        for one in gathered.values():
            if process is not None:
                one.sums = process.sum(one.sums)
    except BaseException:
        for one in gathered.values():
            one.restore()
        raise
    return [name for name, one in gathered.items() if not one.settle()]


class _Population:
    """The statistics of all values that go through a norm, from those of each batch."""

    def __init__(self, norm: _BatchNorm) -> None:
        mean, variance = _running(norm)
        self.norm = norm
        self.sums = mean.new_zeros(3, len(mean), dtype=torch.float64)  # of 1, x and x squared
        tracked = norm.num_batches_tracked
        self._kept = norm.momentum, None if tracked is None else tracked.clone()
        self._statistics = mean.clone(), variance.clone()
        norm.momentum = 1.0  # the running statistics are then those of the last batch
        mean.zero_()  # so that what is not finite does not stay in them
        variance.fill_(1)

    def add(self, values: int) -> None:
        """Of the last batch, which had so many values a channel."""
        if not values:
            return
        mean, variance = (buffer.double() for buffer in _running(self.norm))
        of_all = values
        if isinstance(self.norm, nn.SyncBatchNorm) and (group := processes_of(self.norm)):
            of_all *= dist.get_world_size(group)
        square = mean.square() + variance * ((of_all - 1) / of_all)  # torch's is unbiased
        self.sums += values * torch.stack([torch.ones_like(mean), mean, square])

    def restore(self) -> None:
        momentum, tracked = self._kept
        self.norm.momentum = momentum
        if self.norm.num_batches_tracked is not None and tracked is not None:
            self.norm.num_batches_tracked.copy_(tracked)
        for buffer, value in zip(_running(self.norm), self._statistics, strict=True):
            buffer.copy_(value)

    def settle(self) -> bool:
        """Give the norm its statistics, or those it had; whether any value went through it."""
        self.restore()
        count = self.sums[0]
        if not count.any():
            return False
        mean = self.sums[1] / count
        for buffer, value in zip(
            _running(self.norm),
            (mean, (self.sums[2] / count - mean.square()).clamp(min=0)),
            strict=True,
        ):
            buffer.copy_(value)
        return True


def _running(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def _watch(model: nn.Module, norms: Mapping[nn.Module, _Population], hooks: ExitStack) -> None:
    """Note every batch that goes through a norm.

    A unit may take its last norm's statistics without calling it, so the unit is watched instead:
    as many values go through both.
    """

    def noting(population: _Population) -> Callable[..., None]:
        def note(module: nn.Module, args: Any, output: Tensor) -> None:
            population.add(output.numel() // len(population.sums[0]))

        return note

    units = [unit for unit in model.modules() if isinstance(unit, GloreUnit)]
    of_units = {unit.blocker for unit in units}
    watched: list[tuple[nn.Module, _Population]]
    watched = [(unit, norms[unit.blocker]) for unit in units if unit.blocker in norms]
    watched += [(norm, population) for norm, population in norms.items() if norm not in of_units]
    for module, population in watched:
        hooks.callback(module.register_forward_hook(noting(population)).remove)
