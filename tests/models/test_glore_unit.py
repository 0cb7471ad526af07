import pytest
import torch
from torch import Tensor, nn

from glore_video.models.units.glore_unit import GloreUnit, GloreUnit1d, GloreUnit2d, GloreUnit3d
from glore_video.models.units.graph_convolution import GraphConvolution

UNITS = [(GloreUnit1d, (7,)), (GloreUnit2d, (3, 5)), (GloreUnit3d, (2, 3, 4))]


def random_unit(kind: type[GloreUnit], *, normalize: bool) -> GloreUnit:
    torch.manual_seed(0)
    unit = kind(6, 3, 4, normalize=normalize).double()
    for parameter in unit.parameters():
        nn.init.normal_(parameter)
    nn.init.normal_(unit.blocker.running_mean)
    nn.init.uniform_(unit.blocker.running_var, 0.1, 1.0)
    return unit


def oracle(unit: GloreUnit, x: Tensor, *, normalize: bool) -> Tensor:
    """The formula of the class docstring, one position and node at a time in einsum letters."""
    p = dict(unit.named_parameters())
    flat = x.reshape(*x.shape[:2], -1)
    length = flat.shape[2]
    state = torch.einsum("sc,ncl->nsl", p["conv_state.weight"].reshape(4, 6), flat)
    state = state + p["conv_state.bias"].reshape(1, 4, 1)
    proj = torch.einsum("kc,ncl->nkl", p["conv_proj.weight"].reshape(3, 6), flat)
    proj = proj + p["conv_proj.bias"].reshape(1, 3, 1)
    v = torch.einsum("nsl,nkl->nsk", state, proj) / (length if normalize else 1)
    mixed = torch.einsum("jk,nsk->nsj", p["gcn.conv1.weight"].reshape(3, 3), v)
    h = (mixed + p["gcn.conv1.bias"].reshape(1, 1, 3) + v).clamp(min=0)
    z = torch.einsum("ts,nsk->ntk", p["gcn.conv2.weight"].reshape(4, 4), h)
    y = torch.einsum("nsk,nkl->nsl", z, proj)
    y = torch.einsum("cs,nsl->ncl", p["conv_extend.weight"].reshape(6, 4), y)
    mean = unit.blocker.running_mean.reshape(1, 6, 1)
    var = unit.blocker.running_var.reshape(1, 6, 1)
    if unit.training:
        mean = y.mean(dim=(0, 2), keepdim=True)
        var = ((y - mean) ** 2).mean(dim=(0, 2), keepdim=True)
    y = (y - mean) / torch.sqrt(var + 1e-4)
    y = y * p["blocker.weight"].reshape(1, 6, 1) + p["blocker.bias"].reshape(1, 6, 1)
    return (flat + y).reshape(x.shape)


@pytest.mark.parametrize(("kind", "positions"), UNITS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_output_and_gradients_match_the_formula(kind, positions, normalize, training):
    unit = random_unit(kind, normalize=normalize).train(training)
    x = torch.randn(2, 6, *positions, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 6, *positions, dtype=torch.float64)
    expected = oracle(unit, x, normalize=normalize)
    inputs = (x, *unit.parameters())
    expected_grads = torch.autograd.grad((expected * weights).sum(), inputs)
    got = unit(x)
    grads = torch.autograd.grad((got * weights).sum(), inputs)
    torch.testing.assert_close(got, expected)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad)


@pytest.mark.parametrize(("kind", "positions"), UNITS)
@pytest.mark.parametrize("training", [True, False])
def test_fresh_unit_is_exactly_the_identity(kind, positions, training):
    unit = kind(8).train(training)
    x = torch.randn(2, 8, *positions)
    assert torch.equal(unit(x), x)


def test_hand_computed_answer():
    unit = GloreUnit1d(1, 1, 1, normalize=False).double().eval()
    values = {
        "conv_state.weight": 2.0,
        "conv_state.bias": 1.0,
        "conv_proj.weight": 1.0,
        "conv_proj.bias": 0.0,
        "gcn.conv1.weight": 0.5,
        "gcn.conv1.bias": 1.0,
        "gcn.conv2.weight": 3.0,
        "conv_extend.weight": 0.1,
        "blocker.weight": 1.0,
        "blocker.bias": 0.5,
    }
    for name, parameter in unit.named_parameters():
        nn.init.constant_(parameter, values.pop(name))
    assert not values
    unit.blocker.running_var.fill_(1 - 1e-4)
    x = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64)
    # state (3, 5), B (1, 2), V = 13, h = 13 + 0.5 * 13 + 1 = 20.5, Z = 61.5, extend 6.15 * B.
    expected = torch.tensor([[[1 + 6.15 + 0.5, 2 + 12.3 + 0.5]]], dtype=torch.float64)
    torch.testing.assert_close(unit(x), expected)


def test_keys_are_the_published_ones_with_their_shapes():
    shapes = {name: tuple(p.shape) for name, p in GloreUnit3d(8).named_parameters()}
    assert shapes == {
        "conv_state.weight": (4, 8, 1, 1, 1),
        "conv_state.bias": (4,),
        "conv_proj.weight": (2, 8, 1, 1, 1),
        "conv_proj.bias": (2,),
        "gcn.conv1.weight": (2, 2, 1),
        "gcn.conv1.bias": (2,),
        "gcn.conv2.weight": (4, 4, 1),
        "conv_extend.weight": (8, 4, 1, 1, 1),
        "blocker.weight": (8,),
        "blocker.bias": (8,),
    }
    assert GloreUnit3d(8).blocker.eps == 1e-4


def test_normalized_graph_does_not_depend_on_the_number_of_positions():
    unit = random_unit(GloreUnit2d, normalize=True).eval()
    x = torch.randn(1, 6, 4, 5, dtype=torch.float64)
    tiled = x.repeat(1, 1, 3, 2)
    torch.testing.assert_close(unit(tiled), unit(x).repeat(1, 1, 3, 2))


def test_half_precision_product_does_not_overflow():
    unit = GloreUnit2d(2, 1, 1).half().eval()
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    for layer in (unit.conv_state, unit.conv_proj, unit.gcn.conv2, unit.blocker):
        nn.init.ones_(layer.weight)
    nn.init.constant_(unit.conv_extend.weight, 1 / 64)
    unit.blocker.running_var.fill_(64.0**2)
    # state = B = 16 everywhere, so V = 256, Z B = 4096; a sum over positions would be 4,194,304.
    x = torch.full((1, 2, 128, 128), 8.0, dtype=torch.float16)
    torch.testing.assert_close(unit(x), torch.full_like(x, 9.0))


def test_zero_init_restores_the_identity():
    unit = random_unit(GloreUnit2d, normalize=True).eval()
    x = torch.randn(2, 6, 3, 3, dtype=torch.float64)
    assert not torch.allclose(unit(x), x)
    unit.zero_init()
    assert torch.equal(unit(x), x)


def test_graph_convolution_keeps_its_input():
    v = torch.randn(1, 3, 2)
    before = v.clone()
    GraphConvolution(2, 3)(v)
    assert torch.equal(v, before)


def test_default_sizes():
    unit = GloreUnit3d(512)
    assert (unit.nodes, unit.states, unit.normalize) == (128, 256, True)


@pytest.mark.parametrize("shape", [(1, 8, 4, 4), (1, 7, 4, 4, 4), (8, 4, 4, 4)])
def test_wrong_input_shape_is_named(shape):
    with pytest.raises(
        ValueError, match=rf"\(batch, 8, 3 position axes\), got shape \({shape[0]}, "
    ):
        GloreUnit3d(8)(torch.zeros(shape))


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="dimension must be 1, 2 or 3, got 4"):
        GloreUnit(8, dimension=4)
    with pytest.raises(ValueError, match=r"nodes must be at least 1, got 0 \(channels=3\)"):
        GloreUnit1d(3)
