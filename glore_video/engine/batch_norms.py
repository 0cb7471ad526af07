"""Batch norms in training: frozen, over parts of a batch, over all processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import islice
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.engine.launch.processes import Process
from glore_video.errors import UsageError
from glore_video.models.units.all_reduce import processes_of
from glore_video.models.units.glore_unit import GloreUnit
from glore_video.models.units.sub_batch_norm import SUB_BATCH_NORMS, SubBatchNorm

NormType = Literal["batchnorm", "sub_batchnorm", "sync_batchnorm"]
_FEW_CLIPS = 8


def freeze_batch_norms(model: nn.Module) -> None:
    """Put all batch norms in eval mode: running statistics are used, and not changed."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def freeze_affine(model: nn.Module) -> None:
    """Weights and biases of batch norms are no longer trained."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)


def convert_batch_norms(model: nn.Module, kind: NormType, *, num_splits: int = 1) -> nn.Module:
    """The model with batch norms of another kind: the same parameters, buffers and names.

    Args:
        kind: "sync_batchnorm" takes statistics over all processes (torch's SyncBatchNorm, on GPUs
            only); "sub_batchnorm" over each of num_splits parts of a process' clips.

    Raises:
        UsageError: the model has no batch norms, or one that can't be converted.
    """
    if kind == "batchnorm":
        return model
    norms = {
        path: module for path, module in model.named_modules() if isinstance(module, _BatchNorm)
    }
    if not norms:
        raise UsageError(f"BN.NORM_TYPE = {kind}, but the network has no batch norms")
    if kind == "sync_batchnorm":
        return _synchronised(model)
    for path, module in norms.items():
        if type(module) in SUB_BATCH_NORMS:
            module.__class__ = SUB_BATCH_NORMS[type(module)]
            module.num_splits = num_splits  # type: ignore[assignment]
        elif not isinstance(module, SubBatchNorm):
            raise UsageError(
                f"BN.NORM_TYPE = {kind}: {path} is a {type(module).__name__}, of which there is no "
                "such form; use batchnorm or sync_batchnorm"
            )
    return model


def _synchronised(model: nn.Module) -> nn.Module:
    # A network with timm's layers has them loaded. Some of its norms hold an activation too, which
    # torch's converter drops.
    timm = sys.modules.get("timm.layers")
    if timm is None:
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    training = {path: module.training for path, module in model.named_modules()}
    model = timm.convert_sync_batchnorm(model)
    for path, module in model.named_modules():  # which older releases of timm forget
        module.training = training[path]
    return model


@torch.no_grad()
def take_precise_statistics(
    model: nn.Module,
    clips: Iterable[Tensor],
    count: int,
    process: Process | None = None,
) -> list[str]:
    """Precise batch norm: running statistics anew, those of all values of `count` batches together.

    What fvcore's update_bn_stats computes ("Rethinking Batch in BatchNorm", section 3): of each
    norm the mean and the variance over the batches, weighted by their values a channel. It asks no
    norm to be called, since a GloRe unit may fold the norm into its products, and adds up in
    float64. A norm that no batch went through keeps its statistics, and so do all after an error.

    Args:
        model: is put in train mode.
        clips: batches; fewer than `count` are an error.
        process: if there are several, the batches of all of them count.

    Returns:
        Names of the norms that no batch went through.

    Raises:
        ValueError: there are too few batches.
    """
    model.train()
    gathered = {
        name: _Population(module)
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }
    batches = 0
    try:
        with ExitStack() as hooks:
            _watch(model, {one.norm: one for one in gathered.values()}, hooks)
            for batch in islice(clips, count):
                model(batch)
                batches += 1
        if batches < count:
            raise UsageError(
                f"precise batch norm: only {batches} of {count} batches hold a readable video"
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


def few_clips_warning(
    *, clips: int, world_size: int, accumulation: int, kind: NormType, num_splits: int
) -> str | None:
    """A line if, of so many clips a step, batch norm statistics are taken over fewer than 8 clips, else None."""
    group = clips // world_size // accumulation
    if kind == "sync_batchnorm":
        group *= world_size
    if kind == "sub_batchnorm":
        group //= num_splits
    if group >= _FEW_CLIPS:
        return None
    return (
        f"batch norm sees {group} clips at a time, fewer than {_FEW_CLIPS}: its statistics are "
        "noisy. Raise TRAIN.BATCH_SIZE, lower TRAIN.ACCUMULATION_STEPS, set BN.NORM_TYPE "
        "sync_batchnorm on several GPUs, or MODEL.FROZEN_BN for fine-tuning"
    )
