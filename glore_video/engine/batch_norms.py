"""Batch norms in training: frozen, over parts of a batch, over all processes."""

from __future__ import annotations

import sys
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.engine.protocols import Words
from glore_video.errors import UsageError
from glore_video.models.units.sub_batch_norm import SUB_BATCH_NORMS, SubBatchNorm

NormType = Literal["batchnorm", "sub_batchnorm", "sync_batchnorm"]
_FEW = 8


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
            only); "sub_batchnorm" over each of num_splits parts of a process' inputs.

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


def few_inputs_warning(
    *,
    inputs: int,
    world_size: int,
    accumulation: int,
    kind: NormType,
    num_splits: int,
    words: Words,
) -> str | None:
    """A line if, of so many inputs a step, batch norm statistics are taken over fewer than 8 of them."""
    group = inputs // world_size // accumulation
    if kind == "sync_batchnorm":
        group *= world_size
    if kind == "sub_batchnorm":
        group //= num_splits
    if group >= _FEW:
        return None
    return (
        f"batch norm sees {group} {words.inputs} at a time, fewer than {_FEW}: its statistics are "
        "noisy. Raise TRAIN.BATCH_SIZE, lower TRAIN.ACCUMULATION_STEPS, set BN.NORM_TYPE "
        "sync_batchnorm on several GPUs, or MODEL.FROZEN_BN for fine-tuning"
    )
