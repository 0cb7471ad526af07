"""Which parameter learns how fast and decays by how much, and the optimiser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.errors import UsageError

Method = Literal["sgd", "adam", "adamw", "lamb"]


@dataclass(frozen=True, kw_only=True)
class GroupRules:
    """What decides about a parameter.

    Attributes:
        weight_decay: of all that no other rule names.
        bn_weight_decay: of the weights and biases of batch norms.
        zero_decay_vectors: other one-dimensional parameters do not decay.
        zero_decay_biases: no bias decays, batch norm's included (the paper's code).
        lr_factor_3x3: learning rate of convolutions over 1x3x3 positions over that of the rest
            (the paper's code: a half).
        lr_factor_heads: learning rate of what lies in `heads` over that of the rest; both factors
            multiply.
        heads: paths of modules.
    """

    weight_decay: float
    bn_weight_decay: float
    zero_decay_vectors: bool = False
    zero_decay_biases: bool = False
    lr_factor_3x3: float = 1.0
    lr_factor_heads: float = 1.0
    heads: tuple[str, ...] = ()

    def of(
        self, path: str, name: str, parameter: nn.Parameter, module: nn.Module
    ) -> tuple[str, float, float]:
        """Name of the group, weight decay and learning rate factor of the parameter `name` of a module."""
        group, decay, factor = self._anywhere(name, parameter, module)
        in_head = any(path == head or path.startswith(f"{head}.") for head in self.heads)
        if self.lr_factor_heads != 1.0 and in_head:
            return f"{group}, head", decay, factor * self.lr_factor_heads
        return group, decay, factor

    def _anywhere(
        self, name: str, parameter: nn.Parameter, module: nn.Module
    ) -> tuple[str, float, float]:
        factor = self.lr_factor_3x3 if _is_3x3(module) else 1.0
        suffix = "" if factor == 1.0 else ", 3x3"
        if self.zero_decay_biases and name == "bias":
            return f"biases{suffix}", 0.0, factor
        if isinstance(module, _BatchNorm):
            return "batch norm", self.bn_weight_decay, 1.0
        if self.zero_decay_vectors and parameter.ndim <= 1:
            return f"no decay{suffix}", 0.0, factor
        return f"decay{suffix}", self.weight_decay, factor


def _is_3x3(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv3d):
        return module.kernel_size == (1, 3, 3)
    return isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)


def parameter_groups(model: nn.Module, rules: GroupRules) -> list[dict[str, Any]]:
    """Trainable parameters in groups, in the order of the model; each is in exactly one.

    Each group has a "name", "params", "weight_decay" and "lr_factor".
    """
    groups: dict[tuple[str, float, float], dict[str, Any]] = {}
    seen: set[int] = set()
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            key = rules.of(path, name, parameter, module)
            group = groups.setdefault(
                key,
                {"name": key[0], "params": [], "weight_decay": key[1], "lr_factor": key[2]},
            )
            group["params"].append(parameter)
    return list(groups.values())


def group_table(groups: Sequence[dict[str, Any]]) -> str:
    """The groups as lines of a table: tensors, parameters, weight decay, learning rate factor."""
    width = max(14, *(1 + len(group["name"]) for group in groups))
    lines = [f"{'group':<{width}}{'tensors':>8}{'parameters':>13}{'decay':>9}{'lr factor':>11}"]
    for group in groups:
        count = sum(parameter.numel() for parameter in group["params"])
        lines.append(
            f"{group['name']:<{width}}{len(group['params']):>8}{count:>13,}"
            f"{group['weight_decay']:>9g}{group['lr_factor']:>11g}"
        )
    return "\n".join(lines)


def build_optimizer(
    method: Method,
    groups: Sequence[dict[str, Any]],
    *,
    lr: float,
    momentum: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """torch's optimiser in its fused form, which can leave out an update without waiting for a GPU.

    LAMB is timm's, without its own clipping of the gradient.

    momentum, dampening and nesterov are SGD's, betas Adam's and LAMB's.

    Raises:
        UsageError: for LAMB where timm is not installed.
    """
    params = list(groups)
    if method == "sgd":
        return torch.optim.SGD(
            params, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov, fused=True
        )
    if method == "adam":
        return torch.optim.Adam(params, lr=lr, betas=betas, fused=True)
    if method == "adamw":
        return torch.optim.AdamW(params, lr=lr, betas=betas, fused=True)
    try:
        from glore_video.engine.lamb import Lamb
    except ImportError:
        raise UsageError("lamb is timm's, which is not installed; pip install timm") from None
    return Lamb(params, lr=lr, betas=betas, max_grad_norm=math.inf)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Each group learns at rate times its "lr_factor"."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
