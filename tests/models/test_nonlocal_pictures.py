"""Non-local blocks after the blocks of networks for pictures."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glore_video.models import insert_nonlocal
from glore_video.models.deployment.complexity import count_complexity
from glore_video.models.networks._pytorchvideo import create_nonlocal
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.models.networks.nonlocal2d import NonLocal2d
from glore_video.models.networks.tiny import TinyResNet3d

torchvision = pytest.importorskip("torchvision.models")


def spoilt(model, seed=0):
    """Blocks that are no longer the identity."""
    torch.manual_seed(seed)
    for block in inserted_units(model).values():
        nn.init.normal_(block.norm.weight)
        nn.init.normal_(block.norm.bias)
    return model


def small(**options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 6, 1)), nn.Sequential(nn.Conv2d(6, 2, 1)))
    return insert_nonlocal(model.double().eval(), after=["0"], **options)


def of_the_formula(block, x, instantiation, pool):
    """Wang et al., equations 1 to 6, of one map (channels, height, width)."""

    def conv(layer, of):
        return torch.einsum("oc,c...->o...", layer.weight.flatten(1), of) + layer.bias[:, None]

    pooled = nn.functional.max_pool2d(x, pool).flatten(1)
    theta, phi, g = (
        conv(layer, of)
        for layer, of in (
            (block.conv_theta, x.flatten(1)),
            (block.conv_phi, pooled),
            (block.conv_g, pooled),
        )
    )
    affinities = torch.einsum("ci,cj->ij", theta, phi)
    if instantiation == "softmax":
        weights = (affinities / len(theta) ** 0.5).softmax(1)
    else:
        weights = affinities / affinities.shape[1]
    y = conv(block.conv_out, torch.einsum("ij,cj->ci", weights, g))
    scale = block.norm.weight / (1 + block.norm.eps) ** 0.5
    return x + (y * scale[:, None] + block.norm.bias[:, None]).reshape(x.shape)


@pytest.mark.parametrize("instantiation", ["softmax", "dot_product"])
@pytest.mark.parametrize("pool", [1, 2])
def test_identity_first_and_the_formula_then(instantiation, pool):
    plain = small(instantiation=instantiation, pool=(1, pool, pool))
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    assert torch.equal(plain(x), plain[1](plain[0][0](x)))
    model = spoilt(plain)
    block = model[0].nonlocal_block
    maps = model[0][0](x)
    expected = torch.stack([of_the_formula(block, each, instantiation, pool) for each in maps])
    torch.testing.assert_close(model(x), model[1](expected))


@pytest.mark.parametrize("instantiation", ["softmax", "dot_product"])
@pytest.mark.parametrize("pool", [1, 2])
def test_equal_to_pytorchvideos_block_on_one_frame(instantiation, pool):
    torch.manual_seed(0)
    ours = NonLocal2d(6, 3, pool=(pool, pool), instantiation=instantiation).double()
    theirs = create_nonlocal(
        dim_in=6, dim_inner=3, pool_size=(1, pool, pool), instantiation=instantiation
    ).double()
    state = ours.state_dict()
    theirs.load_state_dict({k: state[k].reshape(v.shape) for k, v in theirs.state_dict().items()})
    x = torch.randn(2, 6, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x[:, :, None])[:, :, 0])


@pytest.mark.parametrize("pool", [1, 2])
def test_gradients_are_those_of_the_formula(pool):
    model = spoilt(small(instantiation="softmax", pool=(1, pool, pool)))
    block = model[0].nonlocal_block
    maps = torch.randn(1, 6, 4, 6, dtype=torch.float64, requires_grad=True)
    of_all = (maps, *block.parameters())
    ours = torch.autograd.grad(block(maps).square().sum(), of_all)
    formula = of_the_formula(block, maps[0], "softmax", pool)
    expected = torch.autograd.grad(formula.square().sum(), of_all)
    for own, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(own, other)


def test_affinities_are_never_held_as_a_whole():
    block = NonLocal2d(4, 2, pool=(1, 1), instantiation="softmax")
    x = torch.randn(1, 4, 32, 64, requires_grad=True)
    positions = 32 * 64
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            sizes.extend(each.numel() for each in tree_leaves(result) if isinstance(each, Tensor))
            return result

    with Sizes():
        block(x).sum().backward()
    assert positions <= max(sizes) < positions**2 / 100


def test_its_cost_is_that_of_the_formula():
    host = nn.Sequential(nn.Identity())
    insert_nonlocal(host, after=["0"], channels=8, dim=2, pool=(1, 2, 2))
    cost = count_complexity(nn.Sequential(nn.Conv2d(3, 8, 1), host), (3, 6, 10))
    positions, pooled, channels, inner = 6 * 10, 3 * 5, 8, 4
    convolutions = 2 * positions * channels * inner + 2 * pooled * channels * inner
    attention = 2 * positions * pooled * inner
    norm = 2 * positions * channels
    assert cost.units.gmacs == pytest.approx((convolutions + attention + norm) / 1e9)
    assert not cost.skipped_ops


def test_a_host_of_torchvision():
    torch.manual_seed(0)
    host = torchvision.resnet18(num_classes=3).eval()
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = host(pictures)
        insert_nonlocal(host, after=["layer3.*"], example=pictures[:1])
        assert torch.equal(host(pictures), expected)
        assert list(inserted_units(host)) == ["layer3.0.nonlocal_block", "layer3.1.nonlocal_block"]
        attended = spoilt(host)(pictures)
        assert (attended - expected).abs().max() > 1e-3
        last = copy.deepcopy(host).to(memory_format=torch.channels_last)
        seen = last(pictures.to(memory_format=torch.channels_last))
        torch.testing.assert_close(seen, attended, rtol=1e-4, atol=1e-4)
        again = pickle.loads(pickle.dumps(host))
        assert torch.equal(again(pictures), attended)
        exported = torch.export.export(host, (pictures,)).module()
        torch.testing.assert_close(exported(pictures), attended, rtol=1e-5, atol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match=r"of pictures can't pool 2 frames: pool = \(2, 2, 2\)"):
        small(pool=(2, 2, 2))
    model = TinyResNet3d(2)
    insert_nonlocal(model, after=["stage1.0"], channels=16, dim=3)
    assert type(model.stage1[0].nonlocal_block).__name__ == "NonLocal"
