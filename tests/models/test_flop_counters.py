"""Counters of multiply-adds of others count units right: fvcore's and torch's, with nothing passed over."""

import warnings

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from glore_video.models import (
    GloreUnit1d,
    GloreUnit2d,
    GloreUnit3d,
    count_complexity,
    create_model,
    fuse_for_inference,
    insert_glore,
    list_models,
)
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.units import order_choice
from glore_video.models.units.glore_unit_orders import multiply_adds

MODES = pytest.mark.parametrize(
    ("grad", "train"),
    [(False, False), (True, False), (False, True), (True, True)],
    ids=["no grad-eval", "grad-eval", "no grad-train", "grad-train"],
)


@pytest.fixture(autouse=True)
def order_of_traces(monkeypatch):
    """Traces, of which the batch is not known, and what runs take the same order of a unit's products."""
    monkeypatch.setattr(order_choice, "_rates", lambda *args: None)


def count(model, x, *, grad=False, train=False):
    """Multiply-adds by fvcore and by torch, as anybody calls them, and what fvcore passed over."""
    model.train(train)
    with torch.set_grad_enabled(grad), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore scripts and traces, which torch calls deprecated
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, x).unsupported_ops_warnings(False)
        analysis.uncalled_modules_warnings(False)
        by_fvcore = analysis.total()
        passed_over = {
            name
            for name in analysis.unsupported_ops()
            if name == "prim::PythonOp" or "mm" in name or "conv" in name or "linear" in name
        }
        with FlopCounterMode(display=False) as counter:
            model(x)
    return by_fvcore, counter.get_total_flops() / 2, passed_over


def check(model, shape, *, grad, train):
    ours = count_complexity(model, shape, training=train)
    assert ours.skipped_ops == {}
    clips = 1 + train
    by_fvcore, by_torch, passed_over = count(
        model, torch.randn(clips, *shape), grad=grad, train=train
    )
    assert by_fvcore / clips / 1e9 == pytest.approx(ours.gmacs, rel=0.01)
    assert by_torch / clips / 1e9 == pytest.approx(ours.gmacs, rel=0.01)
    assert not passed_over
    return ours.gmacs


@MODES
@pytest.mark.parametrize("order", ["published", "reassociated", "lean"])
@pytest.mark.parametrize(
    ("kind", "positions"), [(GloreUnit1d, (90,)), (GloreUnit2d, (9, 10)), (GloreUnit3d, (3, 5, 6))]
)
def test_a_unit(kind, positions, order, grad, train):
    unit = kind(64, order=order)
    products = multiply_adds(64, 16, 32, 90, order)
    norm = 0 if order == "reassociated" else 2 * 64 * 90  # folded into smaller matrices there
    by_fvcore, by_torch, passed_over = count(
        unit, torch.randn(2, 64, *positions), grad=grad, train=train
    )
    if train and order == "reassociated":  # its statistics: C of B, mean and diagonal of Mᵀ C M
        products += 16 * 16 * 90 + 16 * 64 + 16 * 16 * 64
    elif train:
        norm = 5 * 64 * 90  # by fvcore's count
    assert by_torch == 2 * products
    assert by_fvcore == 2 * (products + norm)
    assert not passed_over


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_unit_in_half_precision_and_channels_last(dtype):
    unit = GloreUnit3d(64, order="reassociated").to(dtype)
    x = torch.randn(1, 64, 3, 5, 6, dtype=dtype).to(memory_format=torch.channels_last_3d)
    by_fvcore, by_torch, passed_over = count(unit, x)
    assert by_fvcore == by_torch == multiply_adds(64, 16, 32, 90, "reassociated")
    assert not passed_over


@pytest.mark.parametrize("channels_last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_backward_pass_of_a_unit(dtype, channels_last):
    unit = GloreUnit3d(64, order="reassociated").to(dtype)
    torch.nn.init.normal_(unit.blocker.weight)
    x = torch.randn(2, 64, 3, 5, 6, dtype=dtype)
    if channels_last:
        x = x.to(memory_format=torch.channels_last_3d)
    y = unit(x.requires_grad_())
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    over_positions = 6 * 16 * 64 * 90 + 16 * 16 * 90  # twice those of B, graph, Y; covariance
    graph = 4 * 16 * 32 * 64 + 2 * (16 * 32 * 32 + 16 * 16 * 32)  # twice V, extend, conv2, conv1
    statistics = 16 * 16 + 2 * 16 * 64 + 16 * 16 * 64
    assert counter.get_total_flops() / 2 == 2 * (over_positions + graph + statistics)


@pytest.mark.parametrize("channels_last", [False, True], ids=["channels first", "channels last"])
def test_the_backward_pass_of_a_lean_unit(channels_last):
    unit = GloreUnit3d(64, order="lean")
    torch.nn.init.normal_(unit.blocker.weight)
    x = torch.randn(2, 64, 3, 5, 6)
    if channels_last:
        x = x.to(memory_format=torch.channels_last_3d)
    y = unit(x.requires_grad_())
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    over_positions = 7 * 16 * 64 * 90  # twice those of B, graph, Y; Y once more
    graph = 4 * 16 * 32 * 64 + 2 * (16 * 32 * 32 + 16 * 16 * 32)  # twice V, extend, conv2, conv1
    assert counter.get_total_flops() / 2 == 2 * (over_positions + graph)


@pytest.mark.parametrize("order", ["reassociated", "lean"])
def test_a_training_step_on_the_meta_device(order):
    def counted(device):
        unit = GloreUnit2d(32, order=order).to(device)
        with FlopCounterMode(display=False) as counter:
            unit(torch.ones(2, 32, 6, 7, device=device, requires_grad=True)).sum().backward()
        return counter.get_total_flops()

    assert counted("meta") == counted("cpu") > 0


@MODES
def test_traced_networks_compute_the_same(grad, train):
    unit = GloreUnit2d(32, order="reassociated").train(train)
    torch.nn.init.normal_(unit.blocker.weight)
    x = torch.randn(2, 32, 6, 7)
    with torch.set_grad_enabled(grad), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(unit, x, check_trace=False)
        torch.testing.assert_close(traced(x), unit(x), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_network_that_was_fused():
    model = create_model("glore_r50_8x8").eval()
    fused = check(fuse_for_inference(model), (3, 8, 64, 64), grad=False, train=False)
    assert fused < count_complexity(model, (3, 8, 64, 64)).gmacs


def test_a_host_of_others():
    from torchvision.models.video import r3d_18

    model = insert_glore(r3d_18(), after=["layer2.1"])
    units = count_complexity(model, (3, 8, 56, 56)).units.gmacs * 1e9
    assert units == pytest.approx(multiply_adds(128, 32, 64, 4 * 14 * 14, "reassociated"))
    check(model, (3, 8, 56, 56), grad=True, train=False)


def test_counting_train_mode_leaves_the_network_as_it_was():
    model = insert_glore(TinyResNet3d(3), after=["stage1.1"], nodes=8, states=16).train()
    model.stage1[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    trained = count_complexity(model, (3, 4, 32, 32), training=True)
    assert trained.gmacs > count_complexity(model, (3, 4, 32, 32)).gmacs
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert not model.stage1[0].training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ("name", "grad", "train"),
    [
        # Of the paper's network the two ways in which networks are used are tried every time.
        pytest.param(
            *(name, grad, train),
            marks=() if name == "glore_r50_8x8" and grad == train else pytest.mark.slow,
        )
        for name in list_models()
        if name.startswith("glore_") and "101" not in name  # of depth 50 there is all that it has
        for grad in (False, True)
        for train in (False, True)
    ],
)
def test_every_network_with_units(name, grad, train):
    frames = 32 if "slowfast" in name else 8
    check(create_model(name), (3, frames, 64, 64), grad=grad, train=train)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fvcore", "torch_", "ours"),
    [("glore_r50_8x8", 29.70, 29.57, 29.70), ("glore_r101_8x8", 48.28, 48.11, 48.28)],
)
def test_at_full_size(name, fvcore, torch_, ours):
    model = create_model(name)
    shape = (3, 8, 224, 224)
    by_fvcore, by_torch, passed_over = count(model, torch.randn(1, *shape))
    assert round(by_fvcore / 1e9, 2) == fvcore
    assert round(by_torch / 1e9, 2) == torch_
    assert round(count_complexity(model, shape).gmacs, 2) == ours
    assert not passed_over
