"""Checks of units whose graph Triton's kernels compute, in its interpreter.

A script, for triton reads TRITON_INTERPRET as it is imported: it prints what expressions of the functions
below give, or the traceback of what they raise, as a line of JSON.
"""

from __future__ import annotations

import copy
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from memory import operators
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glore_video.models import GloreUnit3d, fuse_for_inference
from glore_video.models.units import lean_function, triton_graph


def outcome(check: str) -> str:
    try:
        return str(eval(check))
    except Exception:
        return traceback.format_exc()


@contextmanager
def launches(forward: int, backward: int) -> Iterator[list[str]]:
    """Checks how many kernels are launched in it."""
    made: list[str] = []
    own = {name: getattr(triton_graph, name) for name in ("reason", "reason_backward")}

    def noting(name: str) -> Any:
        def run(*args: Any, **options: Any) -> Any:
            made.append(name)
            return own[name](*args, **options)

        return run

    for name in own:
        setattr(triton_graph, name, noting(name))
    try:
        yield made
    finally:
        for name, function in own.items():
            setattr(triton_graph, name, function)
    found = (made.count("reason"), made.count("reason_backward"))
    assert found == (forward, backward), found


def random_unit(*sizes: int, **options: Any) -> GloreUnit3d:
    torch.manual_seed(0)
    unit = GloreUnit3d(*sizes, order="triton", **options)
    for name, parameter in unit.named_parameters():
        if name.startswith("blocker") or name.endswith("bias"):
            nn.init.normal_(parameter)
    return unit


def relative(got: Tensor, expected: Tensor) -> float:
    expected = expected.double()
    norm = expected.norm()
    return float((got.double() - expected).norm() / (norm if norm > 0 else 1))


def output_and_gradients(unit: nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    x = x.detach().requires_grad_()
    y = unit(x)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), (x, *unit.parameters()))]


def unit_is_right(*sizes: int, clips: int = 2, last: bool = False, **options: Any) -> None:
    """Output, every gradient, running statistics and inference are those of the formula in float64."""
    unit = random_unit(*sizes, **options)
    published = copy.deepcopy(unit).double()
    published.order = "published"
    x = torch.randn(clips, sizes[0], 2, 3, 4)
    if last:
        x = x.to(memory_format=torch.channels_last_3d)
    weights = torch.randn_like(x)
    with launches(1, 1):
        got = output_and_gradients(unit, x, weights)
    got += unit.buffers()
    expected = output_and_gradients(published, x.double(), weights.double())
    expected += published.buffers()
    with launches(1, 0), torch.no_grad():
        got.append(unit.eval()(x))
        expected.append(published.eval()(x.double()))
    errors = [relative(*pair) for pair in zip(got, expected, strict=True)]
    rounding = sizes[0] * torch.finfo(torch.float32).eps / 2  # of a sum over channels
    assert max(errors) < max(1e-5, rounding), errors


def fused_unit_is_right() -> None:
    unit = random_unit(24, 5, 12).eval()
    fused = fuse_for_inference(copy.deepcopy(unit))
    x = torch.randn(2, 24, 2, 3, 4)
    with torch.no_grad(), launches(1, 0):
        got = fused(x)
    unit.order = "published"
    assert relative(got, unit.double()(x.double()).detach()) < 1e-5


def graph_is_right(clips: int, nodes: int, states: int, channels: int, dtype: torch.dtype) -> None:
    """The kernels alone, of numbers of `dtype`, against the formulas in float64."""
    torch.manual_seed(0)

    def made(*shape: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        low = (scale * torch.randn(shape)).to(dtype)
        return low, low.double()

    (g, G), (m, M) = made(clips * nodes, channels), made(clips * nodes, 1)
    (w, W), (b, bias) = made(states, channels, scale=channels**-0.5), made(states)
    (e, E), (b1, B1) = made(nodes, nodes, scale=nodes**-0.5), made(nodes)
    (d, D), (u, U) = made(clips * nodes, states), made(states, states, scale=states**-0.5)
    state, hidden = triton_graph.reason(g, m, w, b, e, b1, factor=0.5, relu=True, keep=True)
    V = (G @ W.t() + 0.5 * M * bias).view(clips, nodes, states)
    H = (V + E @ V + B1[:, None]).relu()
    of_hidden, of_state = triton_graph.reason_backward(d, u, e, hidden.flatten(0, 1), relu=True)
    dU = (D @ U).view(clips, nodes, states) * (hidden > 0)
    dV = dU + E.t() @ dU
    # Two roundings to the dtype, and in float32 a sum over channels.
    rounding = 4 * torch.finfo(dtype).eps * (1 if dtype == torch.bfloat16 else channels**0.5)
    for got, wanted in zip((state, hidden, of_hidden, of_state), (V, H, dU, dV), strict=True):
        assert got.dtype == dtype
        assert got.shape == wanted.shape
        assert relative(got, wanted) < rounding, relative(got, wanted)
    without, alone = triton_graph.reason(g, m, w, b, e, b1, factor=0.5, relu=True, keep=False)
    assert without is None
    assert torch.equal(alone, hidden)
    for clip in range(clips):  # to the bit: clips know nothing of each other
        of_clip = slice(clip * nodes, (clip + 1) * nodes)
        rows = (g[of_clip], m[of_clip], w, b, e, b1)
        _, one = triton_graph.reason(*rows, factor=0.5, relu=True, keep=False)
        assert torch.equal(one[0], hidden[clip])
        rows = (d[of_clip], u, e, hidden[clip])
        _, one = triton_graph.reason_backward(*rows, relu=True)
        assert torch.equal(one[0], of_state[clip])


def what_is_no_number_stays_none() -> None:
    g = torch.zeros(5, 24)
    g[2] = torch.nan
    others = (torch.zeros(5, 1), torch.ones(12, 24), torch.zeros(12), torch.eye(5), torch.zeros(5))
    state, hidden = triton_graph.reason(g, *others, factor=1.0, relu=True, keep=True)
    assert state is not None
    assert torch.equal(state[0].isnan().all(1), g[:, 0].isnan())
    assert hidden.isnan().all()  # 0 times it is none
    of_updated = torch.ones(5, 12)
    of_hidden, _ = triton_graph.reason_backward(
        of_updated, torch.eye(12), torch.zeros(5, 5), torch.full((5, 12), torch.nan), relu=True
    )
    assert torch.equal(of_hidden[0], of_updated)  # as torch's threshold_backward


def gradients_of_gradients() -> None:
    unit = random_unit(6, 5, 4)
    lean = copy.deepcopy(unit)
    lean.order = "lean"
    x = torch.randn(2, 6, 2, 1, 2)
    found = []
    # The gradient of the gradient passes the function a second time, and then for good.
    for each, kernels in ((unit, (1, 1)), (lean, (0, 0))):
        with launches(*kernels):
            inputs = x.clone().requires_grad_()
            (g,) = torch.autograd.grad(each(inputs).square().sum(), inputs, create_graph=True)
            found.append(torch.autograd.grad(g.square().sum(), tuple(each.parameters())[:2]))
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


def elsewhere_operators_run() -> None:
    """float64, fp16, more nodes, torch.func, counters, export: no kernel, and no error."""
    x = torch.randn(2, 8, 1, 2, 2)
    with launches(0, 0):
        random_unit(8, 5, 4).double()(x.double()).sum().backward()
        random_unit(8, 257, 4)(x).sum().backward()
        unit = random_unit(8, 5, 4).eval()
        torch.func.grad(lambda x: unit(x).sum())(x)
        with torch.autocast("cpu", dtype=torch.float16):
            unit(x)
        counted = []
        for order in ("triton", "lean"):
            unit.order = order  # type: ignore[assignment]
            with FlopCounterMode(display=False) as counter:
                unit(x.requires_grad_()).sum().backward()
            counted.append(counter.get_total_flops())
        assert counted[0] == counted[1] > 0
        unit.order = "triton"
        exported = torch.export.export(unit, (x.detach(),)).module()
    torch.testing.assert_close(exported(x), unit(x), rtol=1e-5, atol=1e-5)


def backward_alone_is_counted() -> None:
    counted = []
    for order, kernels in (("triton", (1, 0)), ("lean", (0, 0))):
        unit = random_unit(8, 5, 4)
        unit.order = order  # type: ignore[assignment]
        with launches(*kernels):
            y = unit(torch.randn(2, 8, 1, 2, 2).requires_grad_())
            with FlopCounterMode(display=False) as counter:
                y.sum().backward()
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 0


def operators_and_kernels(*, training: bool, bf16: bool) -> int:
    """What one pass of a channels-last unit launches."""
    unit = random_unit(48, 12, 24).train(training)
    x = torch.randn(3, 48, 4, 4, 6).to(memory_format=torch.channels_last_3d)
    gradient = torch.randn_like(x)

    def run() -> None:
        unit.zero_grad()
        with torch.set_grad_enabled(training):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                y = unit(x.detach().requires_grad_(training))
            if training:
                y.backward(gradient)

    launched = _Launches()
    kernels = {"_forward": launched, "_backward": launched}
    watched = {"is_in_torch_dispatch_mode": lambda: False}  # what counts is a mode itself
    with ExitStack() as patches:
        patches.enter_context(patch.multiple(triton_graph, **kernels, **watched))
        patches.enter_context(patch.multiple(lean_function, **watched))
        run()
        alone = launched.count
        return operators(run) + alone


class _Launches:
    """In a kernel's place: counts its launches, and leaves what it should write as it is."""

    count = 0

    def __getitem__(self, grid: object) -> Any:
        return self._launch

    def _launch(self, *args: object, **options: object) -> None:
        self.count += 1


if __name__ == "__main__":
    print(json.dumps([outcome(check) for check in sys.argv[1:]]))
