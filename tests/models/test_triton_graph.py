"""Triton's kernels for a unit's graph: in its interpreter against the formulas, compiled ahead for GPUs."""

import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glore_video.errors import UsageError
from glore_video.models import units
from glore_video.models.units.glore_unit import GloreUnit2d, GloreUnit3d

NEEDS_TRITON = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton comes with torch for CUDA on Linux"
)
PAPER = [(128, 256, 512), (256, 512, 1024)]  # nodes, states, channels of Res3 and Res4
CHECKS = [
    "unit_is_right(24, 5, 12)",
    "unit_is_right(40, 17, 36, last=True)",
    "unit_is_right(24, 16, 40, clips=3, normalize=False, relu=False)",
    "unit_is_right(24, 5, 12, scale=3, end='gamma')",
    "fused_unit_is_right()",
    "graph_is_right(1, 1, 1, 1, torch.float32)",
    "graph_is_right(3, 5, 12, 24, torch.bfloat16)",
    "graph_is_right(2, 33, 40, 35, torch.float32)",
    "graph_is_right(2, 33, 40, 35, torch.bfloat16)",
    "what_is_no_number_stays_none()",
    "gradients_of_gradients()",
    "elsewhere_operators_run()",
    "backward_alone_is_counted()",
]
LAUNCHES = {  # of a training pass or of inference; the lean order has 36, 42, 13 and 15
    "operators_and_kernels(training=True, bf16=False)": 29,
    "operators_and_kernels(training=True, bf16=True)": 35,
    "operators_and_kernels(training=False, bf16=False)": 9,
    "operators_and_kernels(training=False, bf16=True)": 11,
}


def outcomes(*checks):
    """What a process of its own says to expressions of tests/helpers/interpreted_triton.py."""
    root = Path(__file__).parents[2]
    before = filter(None, [os.environ.get("PYTHONPATH")])
    path = os.pathsep.join(map(str, (*before, root, root / "benchmarks")))
    done = subprocess.run(
        [sys.executable, root / "tests/helpers/interpreted_triton.py", *checks],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(zip(checks, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.fixture(scope="module")
def interpreted():
    return outcomes(*CHECKS, *LAUNCHES)


@NEEDS_TRITON
@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_in_the_interpreter(interpreted, check):
    assert interpreted[check] == "None", interpreted[check]


@NEEDS_TRITON
@pytest.mark.slow
@pytest.mark.parametrize("check", LAUNCHES)
def test_few_launches(interpreted, check):
    # Another version of torch may have one more or less.
    assert int(interpreted[check]) == pytest.approx(LAUNCHES[check], abs=2)


@NEEDS_TRITON
@pytest.mark.slow
@pytest.mark.parametrize("sizes", PAPER, ids=str)
def test_in_the_interpreter_at_the_papers_sizes(sizes):
    nodes, states, channels = sizes
    checks = [
        f"unit_is_right({channels}, {nodes}, {states}, clips=1, last=True)",
        f"graph_is_right(1, {nodes}, {states}, {channels}, torch.bfloat16)",
    ]
    for said in outcomes(*checks).values():
        assert said == "None", said


@NEEDS_TRITON
@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("sizes", [*PAPER, (5, 12, 24)], ids=str)
def test_kernels_compile_for_gpus(sizes, capability, tmp_path, monkeypatch):
    """In 100 KiB of shared memory, which every GPU that they are for has, and without spilled registers."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from glore_video.models.units import triton_graph

    tools = triton.knobs.nvidia
    try:
        cuobjdump = tools.cuobjdump.path
    except RuntimeError as error:
        pytest.skip(f"no tools for CUDA: {error}")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    nodes, states, channels = sizes
    of_forward = {"CHANNELS": channels, "KEEP": True}
    for kernel, others in ((triton_graph._forward, of_forward), (triton_graph._backward, {})):
        for dtype, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
            options = dict(triton_graph._tiles(nodes, dtype))
            constants = {"NODES": nodes, "STATES": states, "RELU": True, **others}
            constants |= {n: options.pop(n) for n in kernel.arg_names if n in options}
            types = dict.fromkeys(kernel.arg_names, "*" + name) | {"clips": "i32", "factor": "fp32"}
            types |= dict.fromkeys(constants, "constexpr")
            signature = {n: types[n] for n in kernel.arg_names}
            aligned = {
                (i,): [["tt.divisibility", 16]]
                for i, n in enumerate(kernel.arg_names)
                if types[n][0] == "*"
            }
            made = triton.compile(
                ASTSource(kernel, signature, constants, aligned),
                target=GPUTarget("cuda", capability, 32),
                options=options,
            )
            assert made.metadata.shared <= 100 * 1024
            code = tmp_path / "kernel.cubin"
            code.write_bytes(made.asm["cubin"])
            usage = subprocess.run(
                [cuobjdump, "-res-usage", code], capture_output=True, text=True, check=True
            ).stdout
            assert re.search(r"STACK:(\d+)", usage)[1] == "0", usage


@NEEDS_TRITON
@pytest.mark.gpu
@pytest.mark.parametrize("sizes", [(512, 128, 256), (40, 17, 36)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_on_a_gpu(sizes, dtype, training, monkeypatch):
    from glore_video.models.units import triton_graph

    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("made before compute capability 8.0")
    torch.manual_seed(0)
    unit = GloreUnit3d(*sizes, order="triton").train(training).cuda()
    torch.nn.init.ones_(unit.blocker.weight)
    exact = copy.deepcopy(unit).double()
    exact.order = "published"
    x = torch.randn(3, sizes[0], 4, 14, 14, device="cuda")
    weights = torch.randn_like(x)
    launched = []
    for name in ("reason", "reason_backward"):
        own = getattr(triton_graph, name)
        monkeypatch.setattr(
            *(triton_graph, name),
            lambda *args, own=own, **options: launched.append(own) or own(*args, **options),
        )

    def output_and_gradients(unit, x):
        with torch.autocast("cuda", dtype=dtype, enabled=x.dtype == dtype != torch.float32):
            y = unit(x.requires_grad_())
        return [y - x, *torch.autograd.grad((y * weights).sum(), (x, *unit.parameters()))]

    found = [output_and_gradients(unit, x.detach().to(dtype)) for _ in range(2)]
    assert len(launched) == 4
    assert all(map(torch.equal, *found))
    for got, wanted in zip(found[0], output_and_gradients(exact, x.double()), strict=True):
        error = (got.double() - wanted).norm() / wanted.norm()
        assert error < (0.1 if dtype == torch.bfloat16 else 1e-4)


def test_without_triton_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "glore_video.models.units.triton_graph", None)
    monkeypatch.delattr(units, "triton_graph", raising=False)
    x = torch.randn(2, 8, 3, 4)
    GloreUnit2d(8, order="lean")(x)
    unit = GloreUnit2d(8, order="triton")
    with pytest.raises(
        UsageError, match='^order="triton" needs the package triton.*"auto" or "lean"$'
    ):
        unit(x)


@NEEDS_TRITON
def test_on_a_cpu_it_is_the_lean_order():
    torch.manual_seed(0)
    unit = GloreUnit2d(8, order="triton")
    torch.nn.init.ones_(unit.blocker.weight)
    x = torch.randn(2, 8, 3, 4)
    found = []
    for order in ("triton", "lean"):
        unit.order = order
        found.append(torch.autograd.grad(unit(x).square().sum(), tuple(unit.parameters())))
    assert all(map(torch.equal, *found))


def test_auto_never_takes_it():
    unit = GloreUnit2d(512)
    for device in ("cpu", "cuda"):
        for positions in (1, 100, 3136, 10**6):
            assert unit.resolve_order(positions, torch.bfloat16, device) != "triton"
    assert unit.order == "auto"  # and only a unit whose own order says so asks for kernels
