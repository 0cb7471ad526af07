"""Batch norms in training: frozen, over parts of a batch, over all processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

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


class SubBatchNorm3d(nn.BatchNorm3d):
    """In training, each of `num_splits` equal parts of a batch is normalised by its own statistics.

    Running statistics are those of the whole batch, so that parameters, buffers and evaluation are
    BatchNorm3d's. (SlowFast's models/batchnorm_helper.py keeps statistics for each part.)

    Raises:
        ValueError: in training, for a batch that num_splits does not divide.
    """

    num_splits: int = 1

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.num_splits == 1:
            return super().forward(input)
        self._check_input_dim(input)
        clips = len(input)
        if clips % self.num_splits:
            raise ValueError(
                f"BN.NUM_SPLITS = {self.num_splits} does not divide a batch of {clips} clips"
            )
        size = clips // self.num_splits
        parts = [
            F.batch_norm(part, None, None, self.weight, self.bias, True, 0.0, self.eps)
            for part in input.split(size)
        ]
        if self.track_running_stats:
            self._update_statistics(input.detach())
        return torch.cat(parts)

    @torch.no_grad()
    def _update_statistics(self, batch: Tensor) -> None:
        running = self.running_mean, self.running_var, self.num_batches_tracked
        if any(buffer is None for buffer in running):
            return
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        momentum = self.momentum
        if momentum is None:  # torch's cumulative average
            momentum = 1.0 / float(self.num_batches_tracked)  # type: ignore[arg-type]
        variance, mean = torch.var_mean(batch.float(), dim=(0, 2, 3, 4))
        self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
        self.running_var.lerp_(variance, momentum)  # type: ignore[union-attr]


def convert_batch_norms(model: nn.Module, kind: NormType, *, num_splits: int = 1) -> nn.Module:
    """The model with batch norms of another kind: the same parameters, buffers and names.

    Args:
        kind: "sync_batchnorm" takes statistics over all processes (torch's SyncBatchNorm, on GPUs
            only); "sub_batchnorm" over each of num_splits parts of a process' clips.
    """
    if kind == "sync_batchnorm":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if kind == "sub_batchnorm":
        for module in model.modules():
            if type(module) is nn.BatchNorm3d:
                module.__class__ = SubBatchNorm3d
                module.num_splits = num_splits  # type: ignore[assignment]
    return model


def take_precise_statistics(model: nn.Module, clips: Iterable[Tensor], count: int) -> None:
    """Running statistics of the model's batch norms anew, averaged over `count` batches (fvcore's)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of fvcore's own imports
        from fvcore.nn.precise_bn import update_bn_stats

    model.train()
    update_bn_stats(model, clips, count)


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
