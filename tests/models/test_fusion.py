import copy
import types

import pytest
import torch
import torchvision
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from glore_video.models.deployment.complexity import count_complexity
from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.named_info import network_info
from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.preact_blocks import PreactBottleneck, PreactConv2d, PreactConv3d
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.units.glore_unit import GloreUnit3d
from glore_video.models.zoo import create_model, list_models


def trained(model, clip, passes=1):
    """Random batch norms, their statistics those of the clip, in eval mode."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        if norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
    with torch.no_grad():
        for _ in range(passes):
            model.train()(clip)
    return model.eval()


def norms(model):
    kinds = (nn.BatchNorm2d, nn.BatchNorm3d)
    return [p for p, m in model.named_modules() if isinstance(m, kinds)]


def relative(got, expected):
    """Relative error. In float64 fusing keeps 1e-10 on every processor; float32's varies with it."""
    return ((got - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("order", ["auto", "published", "reassociated"])
@pytest.mark.parametrize("normalize", [True, False])
def test_unit(order, normalize):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 3, 4, 5, dtype=torch.float64)
    unit = trained(GloreUnit3d(8, normalize=normalize, order=order).double(), x)
    fused = fuse_for_inference(unit)
    assert isinstance(fused.gcn.conv2, nn.Identity)
    assert isinstance(fused.blocker, nn.Identity)
    assert relative(fused(x) - x, unit(x) - x) < 1e-10
    assert list(unit.state_dict()) == list(GloreUnit3d(8).state_dict())


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("positions", [(4, 28, 28), (32, 40, 40)])  # 8 x 224 and 64 x 320 at Res3
def test_unit_in_fp16(normalize, positions):
    """The folded batch norm divides by up to 1e7 where V is not divided by the positions."""
    torch.manual_seed(0)
    x = 10 * torch.randn(1, 16, *positions).abs()
    unit = GloreUnit3d(16, normalize=normalize, order="reassociated")
    nn.init.ones_(unit.blocker.weight)
    exact = trained(unit.double(), x.double())
    expected = exact(x.double()) - x
    fused = fuse_for_inference(copy.deepcopy(exact).float())
    with torch.autocast("cpu", dtype=torch.float16):
        assert relative(fused(x.half()).double() - x, expected) < 0.02
    assert relative(fused.half()(x.half()).double() - x, expected) < 0.02


def test_every_pair_of_a_network_with_units():
    torch.manual_seed(0)
    clip = torch.randn(2, 3, 4, 32, 32, dtype=torch.float64)
    model = insert_glore(TinyResNet3d(5), after=["stage1.0", "stage2.0"], nodes=4, states=6)
    model = trained(model.double(), clip)
    before = copy.deepcopy(model.state_dict())
    fused = fuse_for_inference(model)
    assert norms(fused) == []
    assert not any(p.requires_grad for p in fused.parameters())
    assert relative(fused(clip), model(clip)) < 1e-10
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    costs = [count_complexity(m, (3, 4, 32, 32)) for m in (model, fused)]
    assert costs[1].gmacs < costs[0].gmacs
    assert costs[1].parameters < costs[0].parameters


def test_batch_norms_before_a_sum_or_a_relu_stay():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 3, 6, 6, dtype=torch.float64)
    block = PreactBottleneck(8, 4, 16, temporal_kernel=3, stride=(1, 2, 2), project=True)
    block = trained(block.double(), x)
    fused = fuse_for_inference(block)
    assert norms(fused) == ["conv_m1.bn", "conv_w1.bn"]
    assert relative(fused(x), block(x)) < 1e-10


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_temporal_convolutions_of_every_setting(kernel, channels_last):
    conv = nn.Conv3d(
        4, 6, (kernel, 1, 1), stride=(2, 1, 1), padding=(kernel, 0, 0), dilation=(2, 1, 1), groups=2
    )
    model = nn.Sequential(conv, nn.ReLU()).double().eval()
    x = torch.randn(2, 4, 5, 3, 4, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        model = model.to(memory_format=torch.channels_last_3d)
    fused = fuse_for_inference(model)
    assert type(fused[0]) is not nn.Conv3d
    got = fused(x)
    torch.testing.assert_close(got, model(x))
    assert got.is_contiguous(memory_format=torch.channels_last_3d) == channels_last


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_strided_pointwise_convolution_normalises_what_it_reads(channels_last):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6, 7, dtype=torch.float64)
    model = trained(nn.Sequential(PreactConv3d(4, 8, stride=(2, 2, 3))).double(), x)
    fused = fuse_for_inference(model)
    seen = []
    fused[0].bn.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    if channels_last:
        x, fused = (a.to(memory_format=torch.channels_last_3d) for a in (x, fused))
    got = fused(x)
    torch.testing.assert_close(got, model(x))
    assert seen == [(2, 4, 3, 3, 3)]
    assert got.is_contiguous(memory_format=torch.channels_last_3d) == channels_last
    assert model[0].conv.stride == (2, 2, 3)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_strided_pointwise_convolution_of_pictures(channels_last):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    model = trained(nn.Sequential(PreactConv2d(4, 8, stride=(2, 3))).double(), x)
    fused = fuse_for_inference(model)
    seen = []
    fused[0].bn.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    if channels_last:
        x, fused = (a.to(memory_format=torch.channels_last) for a in (x, fused))
    got = fused(x)
    torch.testing.assert_close(got, model(x))
    assert seen == [(2, 4, 3, 3)]
    assert got.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_a_strided_convolution_with_a_hook_stays():
    model = nn.Sequential(PreactConv3d(2, 2, stride=(1, 2, 2))).eval()
    model[0].conv.register_forward_hook(double_output)
    x = torch.randn(1, 2, 3, 4, 4)
    fused = fuse_for_inference(model)
    assert type(fused[0]) is PreactConv3d
    assert torch.equal(fused(x), model(x))


def test_layers_beside_blocks_with_units():
    """Units run in hooks, which can't be traced: their blocks are looked into by themselves."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    host = torchvision.models.resnet18().double()
    model = trained(insert_glore(host, after=["layer2.1", "layer3.0"]), x, passes=1)
    fused = fuse_for_inference(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert relative(fused(x), model(x)) < 1e-10


class Shared(nn.Module):
    """Its convolution is used a second time without the batch norm."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 2, 3, padding=1)
        self.bn = nn.BatchNorm3d(2)

    def forward(self, x):
        return self.bn(self.conv(x)) + self.conv(x)


class TwoUses(Shared):
    def forward(self, x):
        y = self.conv(x)
        return self.bn(y) + y


@pytest.mark.parametrize("kind", [Shared, TwoUses])
def test_convolutions_with_other_uses_stay(kind):
    torch.manual_seed(0)
    x = torch.randn(2, 2, 3, 4, 4)
    model = trained(kind(), x)
    fused = fuse_for_inference(model)
    assert norms(fused) == ["bn"]
    assert torch.equal(fused(x), model(x))


def test_hooks_keep_their_layers():
    x = torch.randn(2, 2, 3, 4, 4)
    model = trained(nn.Sequential(nn.Conv3d(2, 2, 1), nn.BatchNorm3d(2)), x)
    model[0].register_forward_hook(double_output)
    fused = fuse_for_inference(model)
    assert norms(fused) == ["1"]
    assert torch.equal(fused(x), model(x))


def double_output(module, inputs, output):
    return 2 * output


def test_train_mode_is_refused():
    model = TinyResNet3d(3)
    with pytest.raises(ValueError, match=r"the network is in train mode: call model.eval\(\)"):
        fuse_for_inference(model)
    model.eval().stage1[0].bn1.train()
    with pytest.raises(ValueError, match=r"stage1\.0\.bn1 is in train mode"):
        fuse_for_inference(model)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in list_models() if "101" not in n and "200" not in n])
def test_zoo(name):
    torch.manual_seed(0)
    frames = (8,) if network_info(name).takes_clips else ()
    clip = torch.randn(2, 3, *frames, 64, 64, dtype=torch.float64)
    model = trained(create_model(name).double(), clip)
    fused = fuse_for_inference(model)
    with torch.no_grad():
        assert relative(fused(clip), model(clip)) < 1e-10
    stay = {"preact": 21, "glore_r50": 21, "nonlocal": 5}
    expected = next((n for prefix, n in stay.items() if name.startswith(prefix)), 0)
    assert len(norms(fused)) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "most_fused"),
    [("glore_r50_8x8", 29.75, 29.5), ("glore_r101_8x8", 48.35, 48.1)],
)
def test_cost_of_the_papers_networks(name, most, most_fused):
    model = create_model(name).eval()
    cost = count_complexity(model, (3, 8, 224, 224))
    fused = count_complexity(fuse_for_inference(model), (3, 8, 224, 224))
    assert cost.gmacs < most
    assert fused.gmacs < most_fused
    assert cost.skipped_ops == fused.skipped_ops == {}
    assert len(glore_units(model)) == 5


class ConvNorm(nn.Sequential):
    """A traceable part."""

    def __init__(self):
        super().__init__(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))


class Untraceable(nn.Module):
    """Takes two parts, and for maps of more than one pixel does something else beside."""

    def __init__(self):
        super().__init__()
        self.first, self.second = ConvNorm(), ConvNorm()

    def forward(self, x):
        y = self.second(self.first(x))
        return y + self.beside(x) if x.shape[-1] > 1 else y

    def beside(self, x):
        return 0


class UsesAConvolution(Untraceable):
    def beside(self, x):
        return self.first[0](x)


class UsesAWeight(Untraceable):
    def beside(self, x):
        return nn.functional.conv2d(x, self.first[0].weight, padding=1)


class UsesANorm(Untraceable):
    def beside(self, x):
        return self.first[1](x)


class TraceableUse(UsesAWeight):
    def forward(self, x):
        return self.second(self.first(x)) + self.beside(x)


@pytest.mark.parametrize("with_example", [False, True], ids=["alone", "with an example"])
@pytest.mark.parametrize(
    ("kind", "stay", "stay_with_example"),
    [
        (Untraceable, ["first.1", "second.1"], []),
        (UsesAConvolution, ["first.1", "second.1"], ["first.1"]),
        (UsesAWeight, ["first.1", "second.1"], ["first.1"]),
        (UsesANorm, ["first.1", "second.1"], ["first.1"]),
        (TraceableUse, ["first.1"], ["first.1"]),
    ],
)
def test_layers_used_from_outside_their_part_stay(kind, stay, stay_with_example, with_example):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    model = trained(kind().double(), x)
    fused = fuse_for_inference(model, example=x if with_example else None)
    left = [p for p, m in fused.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert left == (stay_with_example if with_example else stay)
    torch.testing.assert_close(fused(x), model(x), rtol=1e-10, atol=1e-10)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in fused.modules())


def test_blocks_with_activation_checkpoints_are_folded():
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    model = trained(nn.Sequential(checkpoint_wrapper(ConvNorm()), nn.ReLU()).double(), x)
    fused = fuse_for_inference(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    torch.testing.assert_close(fused(x), model(x), rtol=1e-10, atol=1e-10)


def twice(self, x):
    return self[1](self[0](x)) + self[0](x)


def test_an_own_forward_of_an_instance_is_not_the_one_of_its_class():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    block = ConvNorm().double()
    block.forward = types.MethodType(twice, block)
    for model in (block, nn.Sequential(block)):
        trained(model, x)
        fused = fuse_for_inference(model)
        torch.testing.assert_close(fused(x), model(x), rtol=1e-10, atol=1e-10)


class LooksInside(nn.Module):
    """Of a block with a hook, which is a leaf of the trace, it uses the convolution too."""

    def __init__(self):
        super().__init__()
        self.block = ConvNorm()
        self.block.register_forward_hook(double_output)

    def forward(self, x):
        return self.block(x) + self.block[0](x)


def test_a_convolution_used_beside_its_hooked_block_stays():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    model = trained(LooksInside().double(), x)
    torch.testing.assert_close(fuse_for_inference(model)(x), model(x), rtol=1e-10, atol=1e-10)


class OtherNorm(PreactConv3d):
    """Normalises over positions, so that it does not commute with reading a part of them."""

    def __init__(self):
        super().__init__(4, 8, stride=(1, 2, 2))
        self.bn = nn.InstanceNorm3d(4)


class UsesAStridedConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = PreactConv3d(4, 8, stride=(1, 2, 2))

    def forward(self, x):
        return self.block(x) + self.block.conv(x)


@pytest.mark.parametrize("kind", [OtherNorm, UsesAStridedConvolution])
def test_other_uses_of_a_strided_convolution(kind):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 6, 7, dtype=torch.float64)
    model = trained(nn.Sequential(kind()).double(), x)
    torch.testing.assert_close(fuse_for_inference(model)(x), model(x), rtol=1e-10, atol=1e-10)
