"""Which parameter decays by how much, and the optimiser."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float,
    bn_weight_decay: float,
    zero_decay_vectors: bool = False,
) -> list[dict[str, Any]]:
    """Trainable parameters in groups of one weight decay each; every parameter is in exactly one.

    Batch norm's go by `bn_weight_decay`; with `zero_decay_vectors`, other one-dimensional ones
    (biases) do not decay; the rest by `weight_decay`. Each group has a "name", "params", "weight_decay".
    """
    batch_norm = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, _BatchNorm)
        for parameter in module.parameters(recurse=False)
    }
    groups: dict[str, dict[str, Any]] = {
        "batch norm": {"weight_decay": bn_weight_decay},
        "no decay": {"weight_decay": 0.0},
        "decay": {"weight_decay": weight_decay},
    }
    for name, group in groups.items():
        group.update(name=name, params=[])
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in batch_norm:
            groups["batch norm"]["params"].append(parameter)
        elif zero_decay_vectors and parameter.ndim <= 1:
            groups["no decay"]["params"].append(parameter)
        else:
            groups["decay"]["params"].append(parameter)
    return [group for group in groups.values() if group["params"]]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
