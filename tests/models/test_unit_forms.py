"""Forms and ends of the unit against their formulas, written a second time with einsum."""

import copy

import pytest
import torch
from torch import Tensor, nn

from glore_video.engine.batch_norms import convert_batch_norms
from glore_video.engine.precise_batch_norms import take_precise_statistics
from glore_video.errors import UsageError
from glore_video.models import (
    GloreUnit,
    GloreUnit1d,
    GloreUnit2d,
    GloreUnit3d,
    fuse_for_inference,
    zero_init_units,
)
from glore_video.models.units.glore_unit_orders import cheaper_order, multiply_adds
from glore_video.models.units.plain_layers import is_plain
from glore_video.models.units.unit_ends import JointBatchNorm, LearnedScale

KINDS = [(GloreUnit1d, (7,)), (GloreUnit2d, (3, 5)), (GloreUnit3d, (2, 3, 4))]
FORMS = {
    "preactivated": {"form": "preactivated", "normalize": False},
    "preactivated, 1 / L": {"form": "preactivated"},
    "gamma": {"end": "gamma"},
    "gamma, sums": {"end": "gamma", "normalize": False},
    "joint": {"end": "joint_batch_norm"},
    "joint, linear, 1000 / L": {"end": "joint_batch_norm", "relu": False, "scale": 1000},
    "linear": {"relu": False},
    "scaled sums": {"normalize": False, "scale": 0.25},
    "gamma, 1000 / L": {"end": "gamma", "scale": 1000},
    "preactivated, 10 / L": {"form": "preactivated", "scale": 10},
}
C, N, S = 6, 3, 4


def random_unit(kind=GloreUnit2d, sizes=(C, N, S), **options):
    torch.manual_seed(0)
    unit = kind(*sizes, **options).double()
    for parameter in unit.parameters():
        nn.init.normal_(parameter)
    for module in unit.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.1, 1.0)
    return unit


def norm(y: Tensor, bn: nn.Module, *, training: bool, axes=(0, 2)) -> Tensor:
    """Batch norm of (batch, channels, positions), or of all channels as one."""
    shape = (1, -1, 1)
    mean, var = bn.running_mean.reshape(shape), bn.running_var.reshape(shape)
    if training:
        mean = y.mean(axes, keepdim=True)
        var = ((y - mean) ** 2).mean(axes, keepdim=True)
    return (y - mean) / (var + 1e-4) ** 0.5 * bn.weight.reshape(shape) + bn.bias.reshape(shape)


def preactivated_formula(unit, flat, factor):
    def active(y, bn):
        return norm(y, bn, training=unit.training).clamp(min=0)

    def weight(layer):
        return layer.weight.flatten(1)

    state = torch.einsum(
        "sc,bcl->bsl", weight(unit.conv_state.conv), active(flat, unit.conv_state.bn)
    )
    proj = torch.einsum("kc,bcl->bkl", weight(unit.conv_proj.conv), active(flat, unit.conv_proj.bn))
    v = factor * torch.einsum("bsl,bkl->bks", state, proj)  # nodes are the channels
    h = torch.einsum("jk,bks->bjs", weight(unit.gcn.conv1), active(v, unit.gcn.bn1)) + v
    h = h.transpose(1, 2)  # states are
    z = torch.einsum("ts,bsk->btk", weight(unit.gcn.conv2), active(h, unit.gcn.bn2))
    y = torch.einsum("bsk,bkl->bsl", z, proj)
    return torch.einsum(
        "cs,bsl->bcl", weight(unit.conv_extend.conv), active(y, unit.conv_extend.bn)
    )


def post_formula(unit, flat, factor, *, relu=True, end="batch_norm"):
    p = {name: p.flatten(1) if p.dim() > 1 else p for name, p in unit.named_parameters()}
    state = torch.einsum("sc,bcl->bsl", p["conv_state.weight"], flat)
    state = state + p["conv_state.bias"][None, :, None]
    proj = torch.einsum("kc,bcl->bkl", p["conv_proj.weight"], flat)
    proj = proj + p["conv_proj.bias"][None, :, None]
    v = factor * torch.einsum("bsl,bkl->bsk", state, proj)
    h = torch.einsum("jk,bsk->bsj", p["gcn.conv1.weight"], v) + p["gcn.conv1.bias"] + v
    h = h.clamp(min=0) if relu else h
    z = torch.einsum("ts,bsk->btk", p["gcn.conv2.weight"], h)
    y = torch.einsum("cs,bsk,bkl->bcl", p["conv_extend.weight"], z, proj)
    if end == "gamma":
        return p["blocker.gamma"] * y
    joint = end == "joint_batch_norm"
    bn = unit.blocker.norm if joint else unit.blocker
    return norm(y, bn, training=unit.training, axes=(0, 1, 2) if joint else (0, 2))


def formula(unit, x, *, form="post", normalize=True, scale=1.0, **options):
    flat = x.flatten(2)
    factor = scale / flat.shape[2] if normalize else scale
    if form == "preactivated":
        return x + preactivated_formula(unit, flat, factor).reshape(x.shape)
    return x + post_formula(unit, flat, factor, **options).reshape(x.shape)


def output_and_gradients(function, unit, x, weights):
    x = x.detach().requires_grad_()
    y = function(x)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), (x, *unit.parameters()))]


@pytest.mark.parametrize(("kind", "positions"), KINDS, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_outputs_and_gradients_are_those_of_the_formula(kind, positions, options, training, order):
    unit = random_unit(kind, order=order, **options).train(training)
    x = torch.randn(3, C, *positions, dtype=torch.float64)
    weights = torch.randn_like(x)
    assert unit.resolve_order(1) == order
    expected = output_and_gradients(lambda x: formula(unit, x, **options), unit, x, weights)
    got = output_and_gradients(unit, unit, x, weights)
    names = ["output", "x", *(name for name, _ in unit.named_parameters())]
    for name, value, wanted in zip(names, got, expected, strict=True):
        size = wanted.abs().max().item() + 1
        torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-9 * size, msg=name)


@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
def test_running_statistics_are_the_same_in_both_orders(options):
    units = [random_unit(order=order, **options) for order in ("published", "reassociated")]
    x = torch.randn(3, C, 3, 5, dtype=torch.float64)
    for unit in units:
        unit(x)
    buffers = dict(units[0].named_buffers())
    for name, buffer in units[1].named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_gradients_by_finite_differences(options, order):
    unit = random_unit(sizes=(3, 2, 2), order=order, **options)
    names = [name for name, _ in unit.named_parameters()]

    def call(x, *parameters):
        return torch.func.functional_call(unit, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, (x, *unit.parameters()))


@pytest.mark.parametrize(("kind", "positions"), KINDS, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_a_new_unit_is_the_identity_and_learns(kind, positions, options, order):
    torch.manual_seed(0)
    unit = kind(16, order=order, **options)
    x = torch.randn(2, 16, *positions)
    y = unit(x)
    assert torch.equal(y, x)
    (y * torch.randn_like(y)).sum().backward()
    learns = {name for name, p in unit.named_parameters() if p.grad is not None and p.grad.any()}
    last = {"post": {"blocker"}, "preactivated": {"conv_extend"}}[unit.form]
    assert {name.partition(".")[0] for name in learns} == last
    for parameter in unit.parameters():
        nn.init.normal_(parameter)
    assert not torch.equal(unit(x), x)
    zero_init_units(nn.Sequential(unit))
    assert torch.equal(unit(x), x)


def test_keys_of_the_preactivated_form():
    shapes = {k: tuple(p.shape) for k, p in GloreUnit2d(8, form="preactivated").named_parameters()}
    assert shapes == {
        "conv_state.bn.weight": (8,),
        "conv_state.bn.bias": (8,),
        "conv_state.conv.weight": (4, 8, 1, 1),
        "conv_proj.bn.weight": (8,),
        "conv_proj.bn.bias": (8,),
        "conv_proj.conv.weight": (2, 8, 1, 1),
        "gcn.bn1.weight": (2,),
        "gcn.bn1.bias": (2,),
        "gcn.conv1.weight": (2, 2, 1),
        "gcn.bn2.weight": (4,),
        "gcn.bn2.bias": (4,),
        "gcn.conv2.weight": (4, 4, 1),
        "conv_extend.bn.weight": (4,),
        "conv_extend.bn.bias": (4,),
        "conv_extend.conv.weight": (8, 4, 1, 1),
    }


@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_fused_for_inference(options, order):
    unit = random_unit(order=order, **options).eval()
    x = torch.randn(2, C, 3, 5, dtype=torch.float64)
    fused = fuse_for_inference(unit)
    assert is_plain(fused.blocker, nn.Identity)
    assert isinstance(fused.gcn.conv2, nn.Identity) == (unit.form == "post")
    torch.testing.assert_close(fused(x), unit(x), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(fused.float()(x.float()), unit(x).float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_in_range(options, dtype):
    """Inputs with a standard deviation of 100, all positive, 28 x 28 positions."""
    torch.manual_seed(0)
    unit = GloreUnit2d(64, order="auto", **options)
    for name, p in unit.named_parameters():
        if name.startswith("blocker") and p.dim() < 2:
            nn.init.constant_(p, 1e-7 if "gamma" in name else 0.5)
    if unit.form == "preactivated":
        nn.init.xavier_uniform_(unit.conv_extend.conv.weight)
    x = 100 * torch.randn(2, 64, 28, 28).abs()
    exact = copy.deepcopy(unit).double()(x.double()) - x
    with torch.autocast("cpu", dtype=dtype):
        y = unit(x)
    assert torch.isfinite(y).all()
    # Of a sum with x, of up to 500, in that precision.
    error = (y.double() - x - exact).abs().max()
    assert error < 500 * 2 ** (-10 if dtype == torch.float16 else -7) + 0.1 * exact.abs().max()


@pytest.mark.parametrize("name", ["preactivated", "gamma", "joint", "linear"])
def test_copies_exports_and_layouts(name):
    options = FORMS[name]
    unit = random_unit(**options).eval()
    x = torch.randn(2, C, 3, 5, dtype=torch.float64)
    expected = unit(x)
    assert torch.equal(copy.deepcopy(unit)(x), expected)
    batch = torch.export.Dim("batch", min=2, max=8)
    program = torch.export.export(unit, (x,), dynamic_shapes=({0: batch},))
    more = torch.cat([x, x + 1])
    torch.testing.assert_close(program.module()(more), unit(more), rtol=1e-10, atol=1e-10)
    tokens = GloreUnit2d(C, N, S, layout="channels_last", **options).double().eval()
    tokens.load_state_dict(unit.state_dict())
    torch.testing.assert_close(tokens(x.movedim(1, -1)), expected.movedim(1, -1))
    last = unit(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)


@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize("form", ["preactivated", "post"])
def test_an_empty_batch(order, form):
    unit = GloreUnit2d(8, form=form, order=order)
    assert unit(torch.zeros(0, 8, 3, 3)).shape == (0, 8, 3, 3)


@pytest.mark.parametrize("options", FORMS.values(), ids=[*FORMS])
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
def test_batch_norms_are_split_and_taken_precisely(options, order):
    x = torch.randn(4, C, 3, 5, dtype=torch.float64)
    unit = random_unit(order=order, **options)
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in unit.modules()):
        split = convert_batch_norms(copy.deepcopy(unit), "sub_batchnorm", num_splits=2)
        expected = torch.cat([unit(part) for part in x.split(2)])
        torch.testing.assert_close(split(x), expected, rtol=1e-9, atol=1e-9)
    unit = random_unit(order=order, **options)
    once = copy.deepcopy(unit)
    for module in once.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    once(x)
    assert take_precise_statistics(unit, [x], 1) == []
    buffers = dict(once.named_buffers())
    for name, buffer in unit.named_buffers():
        if "running_mean" in name:
            torch.testing.assert_close(buffer, buffers[name], rtol=1e-9, atol=1e-9)


def test_multiply_adds_of_the_preactivated_form():
    """512 channels, 128 nodes, 256 states, 28 x 28 positions, by hand."""
    graph = 128 * 128 * 256 + 256 * 256 * 128
    published = (512 * (256 + 128 + 256) + 2 * 256 * 128) * 784 + graph
    moved = (512 * (128 + 128 + 256) + 256 * 128) * 784 + 256 * 512 * 128 + graph
    sizes = (512, 128, 256, 784)
    assert multiply_adds(*sizes, "published", preactivated=True) == published
    assert multiply_adds(*sizes, "reassociated", preactivated=True) == moved
    assert cheaper_order(*sizes, preactivated=True) == "reassociated"
    for positions in (170, 171):
        costs = {
            o: multiply_adds(512, 128, 256, positions, o, preactivated=True)
            for o in ("published", "reassociated")
        }
        assert cheaper_order(512, 128, 256, positions, preactivated=True) == min(
            costs, key=costs.get
        )


def test_a_changed_state_is_called():
    unit = GloreUnit2d(8, form="preactivated", order="reassociated")
    assert unit.resolve_order(1) == "reassociated"
    unit.conv_state.conv = nn.Sequential(unit.conv_state.conv)
    assert unit.resolve_order(1) == "published"
    assert unit(torch.randn(2, 8, 3, 3)).shape == (2, 8, 3, 3)


def test_ends():
    x = torch.randn(3, 4, 5)
    gate = LearnedScale()
    nn.init.constant_(gate.gamma, 2.0)
    assert torch.equal(gate(x), 2 * x)
    joint = JointBatchNorm()
    y = joint(3 * x + 5)
    torch.testing.assert_close(y.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(y.std(correction=0), torch.tensor(1.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "pre"}, "form must be one of post, preactivated, got 'pre'"),
        ({"end": "bn"}, "end must be one of batch_norm, gamma, joint_batch_norm, got 'bn'"),
        ({"form": "preactivated", "end": "gamma"}, "end and relu are of the form post"),
        ({"form": "preactivated", "relu": False}, "end and relu are of the form post"),
        ({"scale": 0}, "scale must be a positive number, got 0"),
        ({"scale": float("nan")}, "scale must be a positive number, got nan"),
        ({"scale": float("inf")}, "scale must be a positive number, got inf"),
        ({"scale": "1"}, "scale must be a positive number, got '1'"),
    ],
)
def test_options_that_do_not_exist(options, message):
    with pytest.raises(UsageError, match=message):
        GloreUnit(8, **options)
