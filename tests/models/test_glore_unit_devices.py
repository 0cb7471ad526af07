"""The unit on whatever devices there are: the CPU always, a GPU where one is."""

import copy

import pytest
import torch
from torch import nn

from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.units.glore_unit import GloreUnit3d

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
ALLOWED = {torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.02}


def unit_and_clip(*, normalize, training, positions=(4, 14, 14), order="reassociated"):
    """A unit with settled running statistics, and activations as after a ReLU, ten times as large."""
    torch.manual_seed(0)
    unit = GloreUnit3d(32, normalize=normalize, order=order)
    nn.init.ones_(unit.blocker.weight)
    x = 10 * torch.randn(2, 32, *positions).abs()
    unit.blocker.momentum = 1.0
    unit.double()(x.double())
    return unit.float().train(training), x


def relative(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(ALLOWED))
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("order", ["reassociated", "lean"])
def test_output_and_gradients(device, dtype, normalize, training, channels_last, order):
    unit, x = unit_and_clip(normalize=normalize, training=training, order=order)
    weights = torch.randn_like(x)
    exact, x64 = copy.deepcopy(unit).double(), x.double().requires_grad_()
    expected = exact(x64)
    (expected * weights).sum().backward()
    unit, x = unit.to(device), x.to(device, dtype)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    x.requires_grad_()
    with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
        y = unit(x)
    (y.float() * weights.to(device)).sum().backward()
    assert y.dtype == dtype
    assert relative((y - x).cpu().double(), (expected - x64)) < ALLOWED[dtype]
    assert relative(x.grad.cpu().double(), x64.grad) < ALLOWED[dtype]
    for parameter, wanted in zip(unit.parameters(), exact.parameters(), strict=True):
        assert torch.isfinite(parameter.grad).all()
        if wanted.grad.norm() > 1e-3 * weights.norm():  # of others half precision keeps little
            assert relative(parameter.grad.cpu().double(), wanted.grad) < 2 * ALLOWED[dtype]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(ALLOWED))
def test_fused(device, dtype):
    unit, x = unit_and_clip(normalize=False, training=False)
    expected = copy.deepcopy(unit).double()(x.double()) - x
    fused, x = fuse_for_inference(unit).to(device, dtype), x.to(device, dtype)
    with torch.no_grad():
        assert relative((fused(x) - x).cpu().double(), expected) < ALLOWED[dtype]


@pytest.mark.gpu
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize("dtype", list(ALLOWED))
def test_the_host_never_waits(order, dtype):
    unit, x = unit_and_clip(normalize=True, training=True)
    unit.order = order
    unit, x = unit.cuda(), x.to("cuda", dtype).requires_grad_()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32):
            y = unit(x)
        y.float().sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled(device, dtype):
    torch._dynamo.reset()
    unit, x = unit_and_clip(normalize=True, training=True)
    unit, x = unit.to(device), x.to(device, dtype)
    compiled = torch.compile(copy.deepcopy(unit), fullgraph=True)
    results = []
    for form in (unit, compiled):
        clip = x.clone().requires_grad_()
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            y = form(clip)
        y.float().square().mean().backward()
        results.append((y.double() - x.double(), clip.grad.double()))
    torch._dynamo.reset()
    for got, expected in zip(*reversed(results), strict=True):
        assert relative(got, expected) < ALLOWED[dtype]
