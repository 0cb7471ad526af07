"""The lean order of a GloRe unit as one autograd.Function, in whose backward pass gradients add up
inside products."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from glore_video.models.units.batch_norm_folding import (
    refuse_a_single_value,
    takes_batch_statistics,
)
from glore_video.models.units.lean_steps import (
    LeanSettings,
    LeanSteps,
    LeanWeights,
    in_dtypes,
    positions_of,
    rows_of,
    steps_of,
)
from glore_video.models.units.position_products import (
    add_matmul,
    batched_multiply_add,
    expand,
    matmul_add,
)
from glore_video.models.units.tensors import is_batched, without_autocast

_WEIGHTS = len(LeanWeights._fields)


class LeanFunction(torch.autograd.Function):
    """The unit up to the norm at its end; with it and the shortcut where the settings say so.

    Saves x, B, and matrices without a position axis: what the norm takes is computed again.

    Inputs: the settings, x (batch, channels, positions), the norm's weight and bias or None, and
    `LeanWeights` one by one, of any dtype; products are taken in x's.
    Outputs: x, through which the gradient of whoever adds it elsewhere passes, and the result, both
    (batch, channels, positions); the result alone where x is added here.
    """

    @staticmethod
    def forward(
        ctx: Any,
        settings: LeanSettings,
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        *weights: Tensor | None,
    ) -> Any:
        low = in_dtypes(weights, [x.dtype] * _WEIGHTS)
        steps = steps_of(x, LeanWeights(*cast(Any, low)), settings)
        y = _product(steps, settings)
        norm = settings.norm
        read: tuple[Tensor | None, ...] = (None, None, None, None)
        ctx.of_batch = False
        if norm is not None:
            ctx.of_batch = takes_batch_statistics(norm)
            running = _running_statistics(norm)
            if ctx.of_batch and y.shape[0] * y.shape[2] == 1:
                refuse_a_single_value()
            if norm.training and norm.track_running_stats and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
            y, mean, invstd = torch.native_batch_norm(
                *(_normed(y, settings), gamma, beta, *running),
                *(ctx.of_batch, cast(float, norm.momentum), norm.eps),
            )
            read = (None, None, mean, invstd) if ctx.of_batch else (*running, mean, invstd)
            y = positions_of(y, x.shape[0]) if settings.channels_last else y
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, gamma, beta, *read, *weights, *low, *steps)
        return y.add_(x) if settings.adds else (x.view_as(x), y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        settings: LeanSettings = ctx.settings
        shortcut, grad = gradients[0], gradients[-1]
        if grad is None:
            return (None, shortcut, *[None] * (2 + _WEIGHTS))
        saved = ctx.saved_tensors  # once: checkpointed blocks refuse to unpack them again
        x, gamma, beta, *read = saved[:7]
        weights = saved[7 : 7 + _WEIGHTS]
        if torch.is_grad_enabled() or is_batched(grad):
            return _recomputed(ctx, (x, gamma, beta, *weights), read[:2], gradients)
        low = LeanWeights(*saved[7 + _WEIGHTS : 7 + 2 * _WEIGHTS])
        steps = LeanSteps(*saved[7 + 2 * _WEIGHTS :])
        with without_autocast(x):
            of_norm: tuple[Tensor | None, ...] = (None, None)
            if settings.norm is not None:
                mask = [True, *ctx.needs_input_grad[2:4]]
                grad, *of_norm = torch.ops.aten.native_batch_norm_backward(
                    *(_normed(grad, settings), _normed(_product(steps, settings), settings)),
                    *(gamma, *read, ctx.of_batch, settings.norm.eps, mask),
                )
                grad = positions_of(grad, x.shape[0]) if settings.channels_last else grad
            owned = [cast(Tensor, grad)]
            del grad, gradients
            grad_x, of_weights = _gradients(ctx, x, low, steps, shortcut, owned)
            dtypes = [None if w is None else w.dtype for w in weights]
            return (None, grad_x, *of_norm, *in_dtypes(of_weights, dtypes))


def _product(steps: LeanSteps, settings: LeanSettings) -> Tensor:
    """What the norm takes, (batch, channels, positions)."""
    return expand(None, steps.nodes, steps.mixing, None, channels_last=settings.channels_last)


def _normed(y: Tensor, settings: LeanSettings) -> Tensor:
    """As the norm's kernel reads it fastest: positions as rows where they lie so."""
    return rows_of(y) if settings.channels_last else y


def _running_statistics(norm: Any) -> tuple[Tensor | None, Tensor | None]:
    """Those that the norm reads or updates, as it is set now."""
    if norm.training and not norm.track_running_stats:
        return None, None
    return norm.running_mean, norm.running_var


def _gradients(
    ctx: Any,
    x: Tensor,
    w: LeanWeights,
    steps: LeanSteps,
    shortcut: Tensor | None,
    of_product: list[Tensor],
) -> tuple[Tensor | None, tuple[Tensor | None, ...]]:
    """Of x and of the weights, given that of B's product; `shortcut` is added to x's.

    `of_product` holds the one gradient that it takes out, so that its memory is free before x's is
    made. Each weight's gradient is computed as soon as it can be, for the same reason.
    """
    settings: LeanSettings = ctx.settings
    last, factor = settings.channels_last, settings.factor
    need = LeanWeights(*ctx.needs_input_grad[4:])
    batch, nodes, _ = steps.nodes.shape
    into: dict[str, Tensor] = {}
    grad = of_product.pop()

    of_mixing = torch.bmm(steps.nodes, grad.transpose(1, 2)).flatten(0, 1)
    of_updated = torch.mm(of_mixing, w.extend)
    if need.extend:
        into["extend"] = torch.mm(of_mixing.t(), steps.updated)
    del of_mixing
    hidden = steps.hidden.flatten(0, 1)
    if need.update:
        into["update"] = torch.mm(of_updated.t(), hidden)
    of_hidden, of_state = _on_graph(of_updated, hidden, w, settings, batch)
    del of_updated
    if need.edges:
        into["edges"] = _sum_of_products(of_hidden, cast(Tensor, steps.state))
    if need.edges_bias:
        into["edges_bias"] = of_hidden.sum((0, 2))
    del of_hidden
    of_state = of_state.flatten(0, 1)
    of_graph = torch.mm(of_state, w.state).unflatten(0, (batch, nodes))
    of_mean = torch.mv(of_state, w.state_bias).view(batch, nodes, 1)
    if need.state:
        into["state"] = torch.mm(of_state.t(), steps.graph)
    if need.state_bias:
        of_bias = torch.mv(of_state.t(), steps.mean[:, 0])
        exact = settings.mean_factor == 1
        into["state_bias"] = of_bias if exact else of_bias * settings.mean_factor
    del of_state
    of_nodes = matmul_add(of_mean.expand_as(steps.nodes), steps.mixing, grad, last, beta=factor)
    of_nodes = add_matmul(of_nodes, of_graph, x, last, factor)
    del grad

    if need.proj and last:
        into["proj"] = torch.mm(rows_of(of_nodes).t(), rows_of(x))
    elif need.proj:
        into["proj"] = torch.bmm(of_nodes, x.transpose(1, 2)).sum(0)
    if need.proj_bias:
        into["proj_bias"] = of_nodes.sum((0, 2))
    of_x = None
    if ctx.needs_input_grad[1]:
        if shortcut is None:
            of_x = expand(None, steps.nodes, of_graph, None, scale=factor, channels_last=last)
        else:
            of_x = matmul_add(shortcut, of_graph.transpose(1, 2), steps.nodes, last, factor)
        of_x = add_matmul(of_x, w.proj.t().expand(batch, -1, -1), of_nodes, last)
    return of_x, tuple(into.get(name) for name in LeanWeights._fields)


def _on_graph(
    of_updated: Tensor, hidden: Tensor, w: LeanWeights, settings: LeanSettings, batch: int
) -> tuple[Tensor, Tensor]:
    """Gradients of H before its ReLU and of V, (batch, nodes, states); of Z's, clip below clip."""
    update = cast(Tensor, w.update)
    # Modes that look at operators see none of what a kernel does.
    if settings.kernels is not None and not is_in_torch_dispatch_mode():
        return settings.kernels.reason_backward(
            of_updated, update, w.edges, hidden, relu=settings.relu
        )
    of_hidden = torch.mm(of_updated, update)
    if settings.relu:
        of_hidden = torch.ops.aten.threshold_backward(of_hidden, hidden, 0)
    of_hidden = of_hidden.unflatten(0, (batch, -1))
    edges = w.edges.t().expand(batch, -1, -1)
    return of_hidden, batched_multiply_add(of_hidden, edges, of_hidden)


def _sum_of_products(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ summed over the batch; one product of matrices where their rows lie in one piece."""
    rows = [t.transpose(0, 1) for t in (a, b)]
    if all(t.is_contiguous() for t in rows):
        return torch.mm(rows[0].flatten(1), rows[1].flatten(1).t())
    return torch.bmm(a, b.transpose(1, 2)).sum(0)


def _recomputed(
    ctx: Any,
    inputs: tuple[Tensor | None, ...],
    running: list[Tensor | None],
    gradients: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """The gradients by autograd of the same operators, for gradients of gradients."""
    settings: LeanSettings = ctx.settings
    create = torch.is_grad_enabled()
    with torch.enable_grad(), without_autocast(cast(Tensor, inputs[0])):
        # What they depend on themselves is not to be differentiated here.
        own = [None if t is None else t.view_as(t) for t in inputs]
        x, gamma, beta, *weights = own
        assert x is not None
        low = LeanWeights(*(None if w is None else w.to(x.dtype) for w in weights))  # type: ignore[arg-type]
        y = _product(steps_of(x, low, settings), settings)
        if settings.norm is not None:
            y = nn.functional.batch_norm(
                y, running[0], running[1], gamma, beta, ctx.of_batch, 0.0, settings.norm.eps
            )
        outputs = [x + y] if settings.adds else [x.view_as(x), y]
        pairs = [(o, g) for o, g in zip(outputs, gradients, strict=True) if g is not None]
        wanted = [i for i, need in enumerate(ctx.needs_input_grad[1:]) if need]
        found = torch.autograd.grad(
            [o for o, _ in pairs],
            [cast(Tensor, own[i]) for i in wanted],
            [g for _, g in pairs],
            create_graph=create,
            allow_unused=True,
        )
    made: list[Tensor | None] = [None] * (1 + len(inputs))
    for i, gradient in zip(wanted, found, strict=True):
        made[1 + i] = gradient
    return tuple(made)
