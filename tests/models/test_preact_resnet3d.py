import pytest
import torch
from torch import nn

from glore_video.models.networks.preact_blocks import PreactBottleneck
from glore_video.models.networks.preact_resnet3d import PreactResNet3d


@pytest.fixture(scope="module")
def r50() -> PreactResNet3d:
    torch.manual_seed(0)
    return PreactResNet3d(50, num_classes=7, dropout_rate=0.0).eval()


def test_keys_of_the_published_file():
    with torch.device("meta"):
        keys = set(PreactResNet3d(50).state_dict())
    weights = {k for k in keys if not k.rpartition(".")[2].startswith(("running", "num_batches"))}
    blocks = {2: 3, 3: 4, 4: 6, 5: 3}
    expected = {"conv1.conv.weight", "classifier.weight", "classifier.bias"}
    norms = {"conv1.bn", "tail.bn"}
    for stage, depth in blocks.items():
        for number in range(1, depth + 1):
            for layer in ("conv_m1", "conv_m2", "conv_m3", *(["conv_w1"] if number == 1 else [])):
                expected.add(f"conv{stage}.B0{number}.{layer}.conv.weight")
                norms.add(f"conv{stage}.B0{number}.{layer}.bn")
    assert weights == expected | {f"{n}.{p}" for n in norms for p in ("weight", "bias")}


@pytest.mark.parametrize(
    ("depth", "temporal"),
    [
        (50, {2: [1, 2, 3], 3: [1, 3], 4: [1, 3, 5], 5: [2]}),
        (101, {2: [1, 2, 3], 3: [1, 3], 4: list(range(1, 24, 2)), 5: [2]}),
    ],
)
def test_temporal_kernels(depth, temporal):
    with torch.device("meta"):
        model = PreactResNet3d(depth)
    for stage, numbers in temporal.items():
        blocks = dict(getattr(model, f"conv{stage}").named_children())
        sizes = {name: block.conv_m1.conv.kernel_size[0] for name, block in blocks.items()}
        assert [n for n, size in sizes.items() if size == 3] == [f"B{n:02d}" for n in numbers]
        assert set(sizes.values()) <= {1, 3}


@pytest.mark.parametrize(("depth", "parameters"), [(50, 27_985_264), (101, 51_695_984)])
def test_parameters_of_the_published_networks_less_their_units(depth, parameters):
    with torch.device("meta"):
        model = PreactResNet3d(depth)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_strides(r50):
    shapes = {}
    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: shapes.update({name: o.shape}))
        for name, module in r50.named_children()
    ]
    r50(torch.randn(1, 3, 8, 64, 96))
    for hook in hooks:
        hook.remove()
    assert {k: tuple(v) for k, v in shapes.items() if k.startswith("conv")} == {
        "conv1": (1, 32, 8, 16, 24),
        "conv2": (1, 256, 8, 16, 24),
        "conv3": (1, 512, 4, 8, 12),
        "conv4": (1, 1024, 4, 4, 6),
        "conv5": (1, 2048, 4, 2, 3),
    }


@pytest.mark.parametrize("shape", [(1, 3, 1, 33, 47), (2, 3, 5, 40, 32)])
def test_any_length_and_size(r50, shape):
    assert r50(torch.randn(shape)).shape == (shape[0], 7)


def test_logits_are_the_mean_over_positions(r50):
    x = torch.randn(1, 3, 4, 64, 96)
    features = r50.tail(r50.conv5(r50.conv4(r50.conv3(r50.conv2(r50.conv1(x))))))
    per_position = r50.classifier(features.movedim(1, -1))
    torch.testing.assert_close(r50(x), per_position.mean(dim=(1, 2, 3)))


def test_initialisation_is_xavier_uniform(r50):
    weight = r50.conv4.B03.conv_m2.conv.weight
    bound = (6 / (256 * 9 + 256 * 9)) ** 0.5
    assert 0.99 * bound < weight.abs().max() <= bound
    assert r50.classifier.bias.abs().max() == 0


def test_block_adds_its_shortcut():
    block = PreactBottleneck(4, 2, 4, temporal_kernel=1, stride=(1, 1, 1), project=False).eval()
    nn.init.zeros_(block.conv_m3.conv.weight)
    x = torch.randn(1, 4, 2, 3, 3)
    assert torch.equal(block(x), x)


def test_unknown_depth_is_named():
    with pytest.raises(ValueError, match=r"depth must be one of \[50, 101\], got 34"):
        PreactResNet3d(34)
