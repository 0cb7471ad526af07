"""The lean order of a GloRe unit: the reassociated products, asked for in few operators.

On a GPU a unit of usual sizes waits for launches, not for numbers. The reassociated order folds the
batch norm at the unit's end, which saves memory traffic and costs dozens of operators on small
matrices. Here the norm runs as its one kernel, and whatever can rides along in a product.
"""

from __future__ import annotations

from types import ModuleType
from typing import TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glore_video.errors import UsageError
from glore_video.models.units.glore_unit_orders import UnitLayers, computing_dtype
from glore_video.models.units.lean_function import LeanFunction
from glore_video.models.units.lean_steps import (
    LeanSettings,
    LeanWeights,
    in_dtypes,
    steps_of,
    weights_of,
)
from glore_video.models.units.plain_layers import has_global_hooks, is_plain
from glore_video.models.units.position_products import expand
from glore_video.models.units.tensors import (
    as_number,
    is_channels_last,
    is_traced,
    without_autocast,
)


def lean(unit: UnitLayers, x: Tensor) -> Tensor:
    """The unit of x in the lean order, for a unit that `has_own_layers`; not in fp16.

    Shapes: (batch, channels, *positions) -> the same.
    """
    weights = weights_of(unit)
    dtype = computing_dtype(x)
    with without_autocast(x):
        flat = x.flatten(2)  # (batch, channels, positions)
        low = flat.to(dtype)
        positions = as_number(flat.shape[2])
        recorded = torch.compiler.is_compiling() or is_traced()
        norm = unit.blocker if _is_one_kernel(unit.blocker) else None
        settings = LeanSettings(
            factor=unit.scale / positions if unit.normalize else unit.scale,
            mean_factor=unit.scale if unit.normalize else unit.scale * positions,
            relu=isinstance(unit.gcn.relu, nn.ReLU),
            channels_last=is_channels_last(x),
            norm=norm,
            adds=norm is not None and low is flat,
            kernels=None if recorded else _kernels(unit, low, weights),
        )
        of_norm = (None, None) if norm is None else (norm.weight, norm.bias)
        learns = any(t is not None and t.requires_grad for t in (low, *of_norm, *weights))
        fused = weights.update is None
        if not (torch.is_grad_enabled() and learns) or recorded or fused:
            return _by_operators(unit, x, low, weights, settings)
        outputs = LeanFunction.apply(settings, low, *of_norm, *weights)
        if settings.adds:
            return outputs.unflatten(2, x.shape[2:])
        shortcut, y = (output.unflatten(2, x.shape[2:]) for output in outputs)
        if norm is None:
            y = unit.blocker(y)
        return (shortcut if low is flat else x) + y


def _kernels(unit: UnitLayers, x: Tensor, weights: LeanWeights) -> ModuleType | None:
    """Those for the graph, where they are asked for and apply."""
    if unit.order != "triton":
        return None
    try:
        from glore_video.models.units import triton_graph
    except ImportError as error:
        raise UsageError(
            'order="triton" needs the package triton, which comes with torch for CUDA on Linux; '
            'set the unit\'s order to "auto" or "lean"'
        ) from error
    return triton_graph if triton_graph.applies(x, *weights) else None


def _is_one_kernel(norm: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether calling it is running `native_batch_norm`, and no more."""
    plain = is_plain(norm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return plain and not has_global_hooks() and cast(_BatchNorm, norm).momentum is not None


def _by_operators(
    unit: UnitLayers, x: Tensor, low: Tensor, weights: LeanWeights, settings: LeanSettings
) -> Tensor:
    """For inference, and for whoever records operators and differentiates them himself."""
    own = _weights_in(low.dtype, weights)
    steps = steps_of(low, own, settings, keep=False)
    adds = is_plain(unit.blocker, nn.Identity) and low.dtype == x.dtype
    bias = None if unit.conv_extend.bias is None else unit.conv_extend.bias[None]
    y = expand(
        low if adds else None,
        *(steps.nodes, steps.mixing, bias),
        scale=unit.extend_scale,
        channels_last=settings.channels_last,
    ).unflatten(2, x.shape[2:])
    return y if adds else x + unit.blocker(y)


def _weights_in(dtype: torch.dtype, weights: LeanWeights) -> LeanWeights:
    own: list[Tensor | None]
    if torch.compiler.is_compiling() and weights.proj.dtype != dtype:
        # As one tensor, so that one kernel casts all matrices.
        matrices = [w for w in weights if w is not None and w.dim() == 2]
        joined = torch.cat([w.reshape(-1) for w in matrices]).to(dtype)
        parts = iter(joined.split([w.numel() for w in matrices]))
        own = [
            w if w is None else next(parts).view(w.shape) if w.dim() == 2 else w.to(dtype)
            for w in weights
        ]
    elif torch.is_grad_enabled() or is_traced() or weights.proj.is_meta:
        own = [None if w is None else w.to(dtype) for w in weights]
    else:
        own = in_dtypes(weights, [dtype] * len(weights))
    return LeanWeights(*own)  # type: ignore[arg-type]
