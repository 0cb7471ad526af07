"""Batch norms in training: frozen, over parts of a batch, over all processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Literal

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.models.sub_batch_norm import SubBatchNorm3d

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
