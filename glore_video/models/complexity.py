"""What a network costs: multiply-adds and parameters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from glore_video.models.insertion import inserted_units
from glore_video.models.modes import eval_mode

# Operators that fvcore does not count and that multiply-add nothing worth counting.
_FREE = frozenset(
    """add add_ sub rsub mul mul_ div neg sqrt pow mean sum relu relu_ softmax sigmoid silu dropout
    max_pool1d max_pool2d max_pool3d index_select linspace unflatten cat clone zeros ones""".split()
)


@dataclass(frozen=True)
class Complexity:
    """Cost of one forward pass for one clip, in eval mode.

    Attributes:
        gmacs: 1e9 multiply-adds (fvcore's "flops": convolutions, matrix products, linear layers,
            batch norms, adaptive average pools).
        parameters: number of weights.
        gmacs_by_part: the same multiply-adds by part of the network: its children, lists of
            blocks taken apart.
        gmacs_of_units, parameters_of_units: the share of inserted units.
        skipped_ops: operators that may multiply-add and were not counted, with how often each ran.
    """

    gmacs: float
    parameters: int
    gmacs_by_part: dict[str, float]
    gmacs_of_units: float
    parameters_of_units: int
    skipped_ops: dict[str, int]

    def __str__(self) -> str:
        text = f"{self.gmacs:.2f} GMACs, {self.parameters / 1e6:.2f} M parameters"
        if self.parameters_of_units:
            text += (
                f" (of these {self.gmacs_of_units:.2f} GMACs, "
                f"{self.parameters_of_units / 1e6:.2f} M in units)"
            )
        if self.skipped_ops:
            text += f"; not counted: {', '.join(self.skipped_ops)}"
        return text


def count_complexity(model: nn.Module, clip_shape: Sequence[int]) -> Complexity:
    """Counts multiply-adds and parameters by running the network once on one clip of zeros.

    Args:
        model: a network on a real device (not "meta"); left as it was, train or eval mode included.
        clip_shape: shape of one input without the batch axis, (3, frames, height, width) for
            videos.

    Raises:
        ValueError: for a clip shape that is not positive.
    """
    if not clip_shape or min(clip_shape) < 1:
        raise ValueError(f"clip_shape must be positive numbers, got {tuple(clip_shape)}")
    like = next(model.parameters())
    clip = torch.zeros(1, *clip_shape, device=like.device, dtype=like.dtype)
    with eval_mode(model), torch.no_grad(), warnings.catch_warnings():
        # fvcore scripts functions at import and traces, both called deprecated by newer torch;
        # the tracer also warns about every size in Python arithmetic.
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, clip)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.set_op_handle(
            "aten::baddbmm", _baddbmm, "aten::adaptive_avg_pool3d", _elements_of_input
        )
        by_module = analysis.by_module()
        unsupported = analysis.unsupported_ops()
    units = inserted_units(model)
    return Complexity(
        gmacs=by_module[""] / 1e9,
        parameters=sum(p.numel() for p in model.parameters()),
        gmacs_by_part={path: by_module[path] / 1e9 for path in _parts(model)},
        gmacs_of_units=sum(by_module[path] for path in units) / 1e9,
        parameters_of_units=sum(p.numel() for u in units.values() for p in u.parameters()),
        skipped_ops={
            op: count
            for op, count in sorted(unsupported.items())
            if op.removeprefix("aten::") not in _FREE
        },
    )


def _parts(model: nn.Module) -> Iterator[str]:
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from (f"{name}.{index}" for index, _ in child.named_children())
        else:
            yield name


def _baddbmm(inputs: list[Any], outputs: list[Any]) -> int:
    batch, rows, inner = inputs[1].type().sizes()
    return batch * rows * inner * inputs[2].type().sizes()[2]


def _elements_of_input(inputs: list[Any], outputs: list[Any]) -> int:
    return math.prod(inputs[0].type().sizes())
