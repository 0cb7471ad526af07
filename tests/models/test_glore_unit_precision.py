"""Half precision: what overflows, what is lost, what is made large; and what waits for a device."""

import copy
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.units.glore_unit import GloreUnit3d


def relative(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("positions", [(4, 28, 28), (32, 40, 40)])  # 8 x 224 and 64 x 320 at Res3
def test_mixed_precision_neither_overflows_nor_loses_precision(
    dtype, normalize, training, positions
):
    torch.manual_seed(0)
    unit = GloreUnit3d(16, normalize=normalize, order="reassociated").train(training)
    nn.init.ones_(unit.blocker.weight)
    # Positive, as after a ReLU, so that sums over positions do not cancel; ten times as large.
    x = 10 * torch.randn(1, 16, *positions).abs()
    if not training:
        exact = copy.deepcopy(unit).double().train()
        exact.blocker.momentum = 1.0
        exact(x.double())
        unit.blocker.load_state_dict(exact.blocker.state_dict())
    exact = copy.deepcopy(unit).double()(x.double())
    for autocast in (True, False):
        half = copy.deepcopy(unit) if autocast else copy.deepcopy(unit).to(dtype)
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            y = half(x.to(dtype).requires_grad_())
        assert y.dtype == dtype
        if not autocast and not training and not normalize:
            continue  # fp16 cannot hold the running statistics themselves
        assert relative(y.double() - x, exact - x) < (0.02 if dtype == torch.float16 else 0.15)
        (y.float().mean()).backward()
        assert all(torch.isfinite(p.grad).all() for p in half.parameters())


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("form", ["autocast", "half but for the norm", "fused, then half"])
def test_the_range_in_fp16_that_is_promised(form, normalize):
    torch.manual_seed(0)
    exact = GloreUnit3d(32, normalize=normalize).double()
    exact.blocker.momentum = 1.0
    nn.init.ones_(exact.blocker.weight)
    x = 100 * torch.randn(2, 32, 4, 14, 14).abs().half()
    exact(x.double())
    expected = exact.eval()(x.double()) - x
    unit = copy.deepcopy(exact).float()
    if form == "half but for the norm":
        unit.half().blocker = copy.deepcopy(exact.blocker).float()
    elif form == "fused, then half":
        unit = fuse_for_inference(unit).half()
    with torch.autocast("cpu", dtype=torch.float16, enabled=form == "autocast"):
        y = unit(x)
    # The sum with x, of up to 500, is rounded by 0.25.
    assert (y.double() - x - expected).abs().max() < 0.25 + 0.05 * expected.abs().max()


def test_half_precision_graph_of_any_size():
    unit = GloreUnit3d(16, order="reassociated")
    nn.init.ones_(unit.blocker.weight)
    nn.init.ones_(unit.conv_state.weight)
    nn.init.constant_(unit.conv_proj.weight, 0.04)
    torch.manual_seed(0)
    x = 150 * torch.randn(2, 16, 4, 10, 10).abs().half()  # B about 77, X B about 9000, V 150,000
    exact = copy.deepcopy(unit).double()(x.double())
    y = unit.half()(x)
    assert relative(y.double() - x, exact - x) < 0.05


def test_mixed_precision_keeps_a_single_precision_input():
    torch.manual_seed(1)  # narrower units are often silent: no state passes the ReLU
    unit = GloreUnit3d(32, order="reassociated")
    nn.init.ones_(unit.blocker.weight)
    x = torch.randn(2, 32, 3, 4, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = unit(x)
    assert y.dtype == torch.float32
    assert relative(y - x, unit(x) - x) < 0.05


@pytest.mark.parametrize(
    ("dtype", "order"), [(torch.float16, "reassociated"), (torch.bfloat16, "published")]
)
@pytest.mark.parametrize("normalize", [True, False])
def test_auto_stays_in_the_range_of_fp16(dtype, order, normalize):
    """Published, V overflows without `normalize`, and Z B with it."""
    torch.manual_seed(0)
    unit = GloreUnit3d(64, 64, 8, normalize=normalize)  # cheaper as published
    nn.init.ones_(unit.blocker.weight)
    assert unit.resolve_order(196, dtype) == order
    x = 60 * torch.randn(2, 64, 4, 7, 7).abs()
    exact = copy.deepcopy(unit).double()(x.double())
    for autocast in (True, False):
        half = copy.deepcopy(unit) if autocast else copy.deepcopy(unit).to(dtype)
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            y = half(x.to(dtype))
        assert relative(y.double() - x, exact - x) < (0.03 if dtype == torch.float16 else 0.2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("noise", [1.0, 0.1, 0.01])
def test_correlated_features_are_no_harder_than_published(dtype, noise):
    """All channels follow one brightness: the covariance of the nodes has almost rank one."""
    errors = {"published": 0.0, "reassociated": 0.0}
    for seed in range(4):
        torch.manual_seed(seed)
        unit = GloreUnit3d(64)
        nn.init.ones_(unit.blocker.weight)
        brightness = 3 * torch.rand(2, 1, 4, 10, 10)
        x = torch.rand(1, 64, 1, 1, 1) * brightness + noise * torch.randn(2, 64, 4, 10, 10).abs()
        expected = copy.deepcopy(unit).double()(x.double()) - x
        x = x.to(dtype)
        for order in errors:
            half = copy.deepcopy(unit)
            half.order = order
            with torch.autocast("cpu", dtype=dtype):
                errors[order] += relative(half(x).double() - x, expected)
    assert errors["reassociated"] < 1.2 * errors["published"]


class Results(TorchDispatchMode):
    """Notes dtype and size of everything that operators return."""

    def __init__(self):
        super().__init__()
        self.sizes = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.sizes.setdefault(tensor.dtype, []).append(tensor.numel())
        return result


@pytest.mark.parametrize("channels_last", [False, True])
def test_bf16_makes_nothing_large_in_float32(channels_last):
    """What is as large as the graph, (nodes x channels), stays in half precision both ways."""
    unit = GloreUnit3d(64, order="reassociated")
    nn.init.ones_(unit.blocker.weight)
    x = torch.randn(4, 64, 4, 6, 6, dtype=torch.bfloat16)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
    x.requires_grad_()
    with Results() as results:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = unit(x)
        y.backward(torch.ones_like(y))
    assert max(results.sizes[torch.bfloat16]) == x.numel()
    # Weights have gradients in float32: here channels x states, less than one graph a clip.
    assert max(results.sizes[torch.float32]) < 4 * unit.nodes * unit.channels


@contextmanager
def fake_unit(device, dtype, **options):
    """A unit and a clip without values: whatever asks for one on the host fails."""
    default = torch.get_default_dtype()
    with FakeTensorMode():
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device):
                unit, x = GloreUnit3d(16, **options), torch.randn(2, 16, 3, 4, 5)
        except RuntimeError as error:
            pytest.skip(f"fake tensors of this torch need the device itself: {error}")
        finally:
            torch.set_default_dtype(default)
        yield unit, x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("order", ["published", "reassociated"])
@pytest.mark.parametrize("normalize", [True, False])
def test_nothing_waits_for_the_device(dtype, order, normalize):
    with fake_unit("cpu", dtype, order=order, normalize=normalize) as (unit, x):
        y = unit(x.requires_grad_())
        y.backward(torch.ones_like(y))
        unit.eval()(x)
        assert x.grad.shape == x.shape
        with pytest.raises(DataDependentOutputException):
            y.max().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("order", ["published", "reassociated"])
@pytest.mark.parametrize("normalize", [True, False])
def test_nothing_is_made_on_the_host(dtype, order, normalize):
    """It would meet tensors of another device."""
    with fake_unit("cuda", dtype, order=order, normalize=normalize) as (unit, x):
        assert unit(x).device.type == "cuda"
