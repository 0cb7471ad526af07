"""What a network costs: multiply-adds, activations and parameters."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.eval_mode import eval_mode, trial_of_train_mode
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.models.units.as_written import as_written

# Operators that fvcore does not count and that multiply-add nothing worth counting.
_ELEMENTWISE = frozenset(
    """add add_ addcmul addcmul_ lerp_ sub rsub mul mul_ div div_ neg sqrt rsqrt reciprocal pow square
    mean sum amax exp cos sin tanh clamp_min linalg_vector_norm ne numel fill_ expand_as
    relu relu_ hardtanh hardsigmoid hardswish hardswish_ gelu silu silu_ softmax sigmoid dropout dropout_
    feature_dropout feature_dropout_ mT
    avg_pool2d max_pool1d max_pool2d max_pool3d pad im2col col2im movedim reshape_as repeat
    repeat_interleave index_select linspace unflatten cat ceil clone zeros ones lt where""".split()
)
_ACTIVATIONS = "activations"


@dataclass(frozen=True)
class Cost:
    """Cost of a network or a part of it, for one clip.

    Attributes:
        gmacs: 1e9 multiply-adds (fvcore's "flops": convolutions, matrix products, linear layers,
            adaptive average pools; of a batch norm two a number).
        activations: 1e6 numbers that convolutions, matrix products and linear layers return.
        parameters: number of weights.
    """

    gmacs: float = 0.0
    activations: float = 0.0
    parameters: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.gmacs + other.gmacs,
            self.activations + other.activations,
            self.parameters + other.parameters,
        )


@dataclass(frozen=True)
class Complexity:
    """Cost of one forward pass for one clip.

    Attributes:
        total: the whole network.
        parts: its children, lists of blocks and a backbone taken apart; they add up to the total.
        units: the share of inserted units.
        skipped_ops: operators that may multiply-add and were not counted, with how often each ran.
        elementwise_ops: operators that are not counted because each number is touched only once
            or so (activation functions, sums, maximum pools), with how often each ran.
    """

    total: Cost
    parts: Mapping[str, Cost]
    units: Cost
    skipped_ops: Mapping[str, int]
    elementwise_ops: Mapping[str, int]

    @property
    def gmacs(self) -> float:
        return self.total.gmacs

    @property
    def parameters(self) -> int:
        return self.total.parameters

    def __str__(self) -> str:
        text = f"{self.gmacs:.2f} GMACs, {self.parameters / 1e6:.2f} M parameters"
        if self.units.parameters:
            text += (
                f" (of these {self.units.gmacs:.2f} GMACs, "
                f"{self.units.parameters / 1e6:.2f} M in units)"
            )
        if self.skipped_ops:
            text += f"; not counted: {', '.join(self.skipped_ops)}"
        return text


def count_complexity(
    model: nn.Module, clip_shape: Sequence[int], *, training: bool = False
) -> Complexity:
    """Counts multiply-adds, activations and parameters by running the network on a clip of zeros.

    fvcore's `FlopCountAnalysis(model, clip).total()` and half of torch's `FlopCounterMode` are within
    1% of it (for each clip), the one counting more for batch norms in train mode, the other none.

    Args:
        model: a network on a real device (not "meta"); left as it was, train or eval mode included.
        clip_shape: shape of one input without the batch axis, (3, frames, height, width) for
            videos.
        training: count the forward pass of train mode, in which a GloRe unit in the reassociated
            order also computes the statistics of its batch norm from small matrices.

    Raises:
        ValueError: for a clip shape that is not positive.
    """
    if not clip_shape or min(clip_shape) < 1:
        raise UsageError(f"clip_shape must be positive numbers, got {tuple(clip_shape)}")
    like = next(model.parameters())
    clip = torch.zeros(1, *clip_shape, device=like.device, dtype=like.dtype)
    mode = trial_of_train_mode(model) if training else eval_mode(model)
    with mode, as_written(model), torch.no_grad(), _attention_in_parts(), warnings.catch_warnings():
        # fvcore scripts functions at import and traces, both called deprecated by newer torch;
        # the tracer also warns about every size in Python arithmetic.
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis, jit_handles

        analysis = FlopCountAnalysis(model, clip)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        for op, handle in {
            "aten::_convolution": jit_handles.conv_flop_jit,
            "aten::addmm": jit_handles.addmm_flop_jit,
            "aten::baddbmm": _baddbmm,
            "aten::bmm": jit_handles.bmm_flop_jit,
            "aten::einsum": jit_handles.einsum_flop_jit,
            "aten::linear": jit_handles.linear_flop_jit,
            "aten::matmul": jit_handles.matmul_flop_jit,
            "aten::mm": jit_handles.matmul_flop_jit,
            "aten::scaled_dot_product_attention": _attention,
        }.items():
            analysis.set_op_handle(op, _with_activations(handle))
        analysis.set_op_handle("aten::adaptive_avg_pool3d", _elements_of_input)
        analysis.set_op_handle("aten::batch_norm", _twice_the_elements_of_input)
        counts = analysis.by_module_and_operator()
        unsupported = {op.removeprefix("aten::"): n for op, n in analysis.unsupported_ops().items()}

    def cost(path: str) -> Cost:
        operators = Counter(counts[path])
        activations = operators.pop(_ACTIVATIONS, 0)
        parameters = sum(p.numel() for p in model.get_submodule(path).parameters())
        return Cost(sum(operators.values()) / 1e9, activations / 1e6, parameters)

    return Complexity(
        total=cost(""),
        parts={path: cost(path) for path in parts_of(model)},
        units=sum((cost(path) for path in inserted_units(model)), Cost()),
        skipped_ops={op: n for op, n in sorted(unsupported.items()) if op not in _ELEMENTWISE},
        elementwise_ops={op: n for op, n in sorted(unsupported.items()) if op in _ELEMENTWISE},
    )


@contextmanager
def _attention_in_parts() -> Iterator[None]:
    """torch's own attention layers run their operators one by one, not as one that nobody counts."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def parts_of(model: nn.Module) -> Iterator[str]:
    """Paths of the parts that a cost is given by: children, lists of blocks and a backbone taken apart."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList) or name == "backbone":
            yield from (f"{name}.{index}" for index, _ in child.named_children())
        else:
            yield name


def _with_activations(
    handle: Callable[[list[Any], list[Any]], Any],
) -> Callable[[list[Any], list[Any]], Counter[str]]:
    """A handle that also counts what the operator returns, in the same run."""

    def count(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        flops = handle(inputs, outputs)
        counter = Counter(flops) if isinstance(flops, Mapping) else Counter({"flops": flops})
        counter[_ACTIVATIONS] = math.prod(outputs[0].type().sizes())
        return counter

    return count


def _baddbmm(inputs: list[Any], outputs: list[Any]) -> int:
    batch, rows, inner = inputs[1].type().sizes()
    return batch * rows * inner * inputs[2].type().sizes()[2]


def _attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Queries with keys, and what comes of it with values; (..., positions, channels) each."""
    *batch, queries, channels = inputs[0].type().sizes()
    keys, of_values = inputs[2].type().sizes()[-2:]
    return math.prod(batch) * queries * keys * (channels + of_values)


def _elements_of_input(inputs: list[Any], outputs: list[Any]) -> int:
    return math.prod(inputs[0].type().sizes())


def _twice_the_elements_of_input(inputs: list[Any], outputs: list[Any]) -> int:
    return 2 * _elements_of_input(inputs, outputs)
