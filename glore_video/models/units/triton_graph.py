# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: N803 (kernels' constants are in capitals, as Triton's users write them)
"""Triton kernels for what a GloRe unit computes on its graph, between its two products with the positions.

Experimental: right by tests in Triton's interpreter and compiled ahead for sm_80 and sm_90, timed on no
GPU. A unit takes them if it is asked to (`order="triton"`); this file is imported then, and not before.

Forward, of a clip, one launch for five operators of `lean_steps`:

    V = G W_sᵀ + f mean b_sᵀ            (nodes, states)
    H = relu(V + E V + b_1)             (nodes, states)

Backward, one launch for three operators of `lean_function`:

    dU = (dZ W_g) where H > 0           (nodes, states)
    dV = dU + Eᵀ dU                     (nodes, states)

A program has all nodes of a clip and a block of states, and adds up in float32. V and dU lie node by node,
then clip by clip, so that the gradient of E, a sum over clips, is one product of matrices. Nothing is
added by atomics: the same input gives the same bits.
"""

from __future__ import annotations

import functools

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

_STATES = 32  # of a program
_STEP_BYTES = 64  # of a row, of what a step of a product's sum reads
_MOST_NODES = 256  # with more, a program does not fit a GPU's registers
_MOST_NUMBERS = 2**31  # of a tensor; kernels count in int32
_DTYPES = (torch.bfloat16, torch.float32)
# TRITON_INTERPRET=1: kernels run on a CPU, slowly, where products of bfloat16 are wrong.
_INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def _dot(left, right, total):
    """total + left right, in float32; of float32 in three products of tf32."""
    if _INTERPRETED:
        left = left.to(tl.float32)
        right = right.to(tl.float32)
    return tl.dot(left, right, total, input_precision="tf32x3")


@triton.jit
def _product(
    rows,
    columns,
    s,
    s_stride: tl.constexpr,
    k_stride: tl.constexpr,
    NODES: tl.constexpr,
    STATES: tl.constexpr,
    SUMMED: tl.constexpr,
    ALL: tl.constexpr,
    STEP: tl.constexpr,
):
    """The product of (NODES, SUMMED), a clip's, with columns `s` of a matrix: (ALL, states of `s`)."""
    n = tl.arange(0, ALL)[:, None]
    total = tl.zeros((ALL, s.shape[0]), tl.float32)
    for start in range(0, SUMMED, STEP):
        k = start + tl.arange(0, STEP)
        inside = k < SUMMED
        left = tl.load(rows + n * SUMMED + k[None], (n < NODES) & inside[None], 0.0)
        right = tl.load(
            columns + k[:, None] * k_stride + s[None] * s_stride,
            inside[:, None] & (s[None] < STATES),
            0.0,
        )
        total = _dot(left, right, total)
    return total


@triton.jit
def _add_neighbours(
    v,
    edges,
    to_stride: tl.constexpr,
    from_stride: tl.constexpr,
    NODES: tl.constexpr,
    ALL: tl.constexpr,
    STEP: tl.constexpr,
):
    """v + E v in float32, of (ALL, states); E by its strides, transposed or not."""
    n = tl.arange(0, ALL)[:, None]
    parts = v.reshape(ALL // STEP, STEP, v.shape[1])
    number = tl.arange(0, ALL // STEP)[:, None, None]
    total = v.to(tl.float32)
    for part in range(ALL // STEP):
        k = part * STEP + tl.arange(0, STEP)[None]
        inside = (n < NODES) & (k < NODES)
        left = tl.load(edges + n * to_stride + k * from_stride, inside, 0.0)
        # Rows of a tensor in registers can't be taken; a sum with zeros finds them.
        right = tl.sum(tl.where(number == part, parts, 0.0).to(tl.float32), 0)
        total = _dot(left, right.to(v.dtype), total)
    return total


@triton.jit(do_not_specialize=["clips"])
def _forward(
    graph,  # G, (clips, NODES, CHANNELS)
    mean,  # (clips, NODES)
    weight,  # W_s, (STATES, CHANNELS)
    bias,  # b_s, (STATES,)
    edges,  # E, (NODES, NODES)
    edges_bias,  # b_1, (NODES,)
    state,  # V, (NODES, clips, STATES), written if KEEP
    hidden,  # H, (clips, NODES, STATES), written
    clips,
    factor,
    NODES: tl.constexpr,
    STATES: tl.constexpr,
    CHANNELS: tl.constexpr,
    ALL: tl.constexpr,  # a power of 2, NODES or more
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    RELU: tl.constexpr,
    KEEP: tl.constexpr,
):
    clip = tl.program_id(0) // tl.cdiv(STATES, BLOCK)
    s = tl.program_id(0) % tl.cdiv(STATES, BLOCK) * BLOCK + tl.arange(0, BLOCK)
    n = tl.arange(0, ALL)
    v = _product(
        graph + clip * NODES * CHANNELS, weight, s, CHANNELS, 1, NODES, STATES, CHANNELS, ALL, STEP
    )
    of_node = tl.load(mean + clip * NODES + n, n < NODES, 0.0).to(tl.float32) * factor
    of_state = tl.load(bias + s, s < STATES, 0.0).to(tl.float32)
    v = (v + of_node[:, None] * of_state[None]).to(hidden.dtype.element_ty)
    inside = (n[:, None] < NODES) & (s[None] < STATES)
    if KEEP:
        tl.store(state + (n[:, None] * clips + clip) * STATES + s[None], v, inside)
    h = _add_neighbours(v, edges, NODES, 1, NODES, ALL, STEP)
    h += tl.load(edges_bias + n, n < NODES, 0.0).to(tl.float32)[:, None]
    if RELU:
        h = tl.where(h < 0, 0.0, h)  # what is no number stays none
    h = h.to(hidden.dtype.element_ty)
    tl.store(hidden + (clip * NODES + n[:, None]) * STATES + s[None], h, inside)


@triton.jit(do_not_specialize=["clips"])
def _backward(
    of_updated,  # dZ, (clips, NODES, STATES)
    weight,  # W_g, (STATES, STATES)
    edges,  # E, (NODES, NODES)
    hidden,  # H, (clips, NODES, STATES)
    of_hidden,  # dU, (NODES, clips, STATES), written
    of_state,  # dV, (clips, NODES, STATES), written
    clips,
    NODES: tl.constexpr,
    STATES: tl.constexpr,
    ALL: tl.constexpr,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    RELU: tl.constexpr,
):
    clip = tl.program_id(0) // tl.cdiv(STATES, BLOCK)
    s = tl.program_id(0) % tl.cdiv(STATES, BLOCK) * BLOCK + tl.arange(0, BLOCK)
    n = tl.arange(0, ALL)
    here = (clip * NODES + n[:, None]) * STATES + s[None]
    inside = (n[:, None] < NODES) & (s[None] < STATES)
    u = _product(
        of_updated + clip * NODES * STATES, weight, s, 1, STATES, NODES, STATES, STATES, ALL, STEP
    )
    if RELU:
        u = tl.where(tl.load(hidden + here, inside, 0.0) <= 0, 0.0, u)
    u = u.to(of_state.dtype.element_ty)
    tl.store(of_hidden + (n[:, None] * clips + clip) * STATES + s[None], u, inside)
    v = _add_neighbours(u, edges, 1, NODES, NODES, ALL, STEP)
    tl.store(of_state + here, v.to(of_state.dtype.element_ty), inside)


def applies(x: Tensor, *weights: Tensor | None) -> bool:
    """Whether the kernels can compute a unit of x, (batch, channels, positions), with these weights.

    On NVIDIA GPUs from compute capability 8.0 on, in bf16 and float32, with up to 256 nodes; of plain
    tensors, and while no mode looks at operators (counters of multiply-adds, fake tensors).
    """
    nodes, channels = weights[0].shape  # type: ignore[union-attr]
    states = weights[2].shape[0]  # type: ignore[union-attr]
    return (
        (_INTERPRETED.value or _has_matrix_units(x))
        and x.dtype in _DTYPES
        and nodes <= _MOST_NODES
        and x.shape[0] * nodes * max(channels, states) < _MOST_NUMBERS
        and all(t is None or type(t) in (Tensor, nn.Parameter) for t in (x, *weights))
        and not is_in_torch_dispatch_mode()
    )


def _has_matrix_units(x: Tensor) -> bool:
    if not x.is_cuda or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(x.device) >= (8, 0)


def reason(
    graph: Tensor,
    mean: Tensor,
    state_weight: Tensor,
    state_bias: Tensor,
    edges: Tensor,
    edges_bias: Tensor,
    *,
    factor: float,
    relu: bool,
    keep: bool,
) -> tuple[Tensor | None, Tensor]:
    """V if it is to be kept, and H, both (batch, nodes, states); all of one dtype.

    Args:
        graph: G, (batch * nodes, channels).
        mean: of B, (batch * nodes, 1), multiplied by `factor`.
        state_weight, state_bias: (states, channels) and (states,).
        edges, edges_bias: (nodes, nodes) and (nodes,).
        relu: whether there is one.
        keep: whether V is wanted.
    """
    nodes, (states, channels) = edges.shape[0], state_weight.shape
    clips = graph.shape[0] // nodes
    hidden = graph.new_empty((clips, nodes, states))
    state = graph.new_empty((nodes, clips, states)) if keep else None
    read = [t.contiguous() for t in (graph, mean, state_weight, state_bias, edges, edges_bias)]
    with torch.cuda.device_of(graph):
        _forward[_grid(clips, states)](
            *read,
            hidden if state is None else state,
            hidden,
            clips,
            float(factor),
            NODES=nodes,
            STATES=states,
            CHANNELS=channels,
            RELU=relu,
            KEEP=keep,
            **_tiles(nodes, graph.dtype),
        )
    return None if state is None else state.transpose(0, 1), hidden


def reason_backward(
    of_updated: Tensor, update: Tensor, edges: Tensor, hidden: Tensor, *, relu: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of H before its ReLU and of V, both (batch, nodes, states); all of one dtype.

    Args:
        of_updated: gradient of Z, (batch * nodes, states).
        update: W_g, (states, states).
        edges: E, (nodes, nodes).
        hidden: H, (batch * nodes, states).
        relu: whether there is one.
    """
    nodes, states = edges.shape[0], update.shape[0]
    clips = hidden.shape[0] // nodes
    of_state = hidden.new_empty((clips, nodes, states))
    of_hidden = hidden.new_empty((nodes, clips, states))
    read = [t.contiguous() for t in (of_updated, update, edges, hidden)]
    with torch.cuda.device_of(hidden):
        _backward[_grid(clips, states)](
            *read,
            of_hidden,
            of_state,
            clips,
            NODES=nodes,
            STATES=states,
            RELU=relu,
            **_tiles(nodes, hidden.dtype),
        )
    return of_hidden.transpose(0, 1), of_state


def _grid(clips: int, states: int) -> tuple[int]:
    return (clips * -(-states // _STATES),)


@functools.cache
def _tiles(nodes: int, dtype: torch.dtype) -> dict[str, int | bool]:
    """Sizes of a program's blocks, and options of the compiler."""
    padded = max(16, 1 << (nodes - 1).bit_length())  # products take 16 rows or more
    return {
        "ALL": padded,
        "BLOCK": _STATES,
        "STEP": min(padded, _STEP_BYTES // dtype.itemsize),
        "num_warps": 8 if padded >= 128 else 4,
        "num_stages": 3,
        "enable_fp_fusion": True,
    }
