import copy
import pickle
import warnings
from functools import partial

import pytest
import torch
from torch import nn

from glore_video.models.networks.backbones import resnet
from glore_video.models.networks.inserted_units import glore_units, inserted_units, zero_init_units
from glore_video.models.networks.insertion import insert_glore, insert_nonlocal
from glore_video.models.networks.preact_blocks import PreactBottleneck
from glore_video.models.networks.tiny import TinyResNet3d

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torchvision.models import resnet18, resnet50


class Toy1d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU())
        self.second = nn.ModuleDict({"conv": nn.Conv1d(8, 12, 3), "norm": nn.BatchNorm1d(12)})

    def forward(self, x):
        x = self.first(x)
        return self.second["norm"](self.second["conv"](x))


def randomise(model: nn.Module) -> nn.Module:
    """Gives units an effect, and the network statistics that keep its numbers small."""
    torch.manual_seed(1)
    for unit in glore_units(model).values():
        nn.init.normal_(unit.blocker.weight)
    return model.eval()


HOSTS = [
    pytest.param(Toy1d, ["first", "second.norm"], (2, 3, 20), id="toy-1d"),
    pytest.param(lambda: resnet18(), ["layer1.0", "layer2.0", "layer2"], (1, 3, 32, 32), id="2d"),
    pytest.param(
        lambda: TinyResNet3d(5), ["stage1.0", "stage1.1", "stage2"], (1, 3, 4, 16, 16), id="tiny-3d"
    ),
    pytest.param(
        lambda: PreactBottleneck(8, 4, 16, temporal_kernel=3, stride=(1, 2, 2), project=True),
        ["conv_m1", "conv_w1"],
        (2, 8, 4, 6, 6),
        id="preact-parts",
    ),
]


@pytest.mark.parametrize(("build", "after", "shape"), HOSTS)
def test_keys_and_outputs_are_kept(build, after, shape):
    model = build().eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x = torch.randn(shape)
    expected = model(x)
    assert insert_glore(model, after=after) is model
    torch.testing.assert_close(model(x), expected, rtol=0, atol=0)
    after_keys = model.state_dict()
    assert all(torch.equal(after_keys[k], v) for k, v in before.items())
    new = set(after_keys) - set(before)
    assert {k.partition(".glore.")[0] for k in new} == set(after)
    assert set(glore_units(model)) == {f"{path}.glore" for path in after}


@pytest.mark.parametrize(("build", "after", "shape"), HOSTS)
def test_each_unit_is_applied_exactly_once(build, after, shape):
    model = insert_glore(build(), after=after).eval()
    calls = []
    for path, unit in glore_units(model).items():
        unit.register_forward_hook(lambda *_, path=path: calls.append(path))
    model(torch.randn(shape))
    assert sorted(calls) == sorted(f"{path}.glore" for path in after)


def test_unit_sees_the_output_of_its_block_and_replaces_it():
    model = insert_glore(Toy1d(), after=["first"], normalize=False)
    randomise(model)
    x = torch.randn(2, 3, 10)
    stages = list(model.first)[:3]
    features = stages[2](stages[1](stages[0](x)))
    expected = model.second["norm"](model.second["conv"](model.first.glore(features)))
    torch.testing.assert_close(model(x), expected)
    assert not torch.allclose(model.first.glore(features), features)


def test_channels_and_dimension_of_known_blocks():
    with torch.device("meta"):
        model = insert_glore(
            resnet50(), after=["layer1.1", "layer2.0", "layer3", "bn1"], nodes=2, states=3
        )
        video = insert_glore(resnet("slow"), after=["blocks.0", "blocks.2.res_blocks.0"])
        block = nn.Sequential(
            PreactBottleneck(32, 8, 64, temporal_kernel=1, stride=(1, 1, 1), project=True)
        )
        insert_glore(block, after=["0"])
    found = {k: (u.channels, u.dimension, u.nodes, u.states) for k, u in glore_units(model).items()}
    assert found == {
        "layer1.1.glore": (256, 2, 2, 3),
        "layer2.0.glore": (512, 2, 2, 3),
        "layer3.glore": (1024, 2, 2, 3),
        "bn1.glore": (64, 2, 2, 3),
    }
    found = {k: (u.channels, u.dimension, u.nodes, u.states) for k, u in glore_units(video).items()}
    assert found == {
        "blocks.0.glore": (64, 3, 16, 32),
        "blocks.2.res_blocks.0.glore": (512, 3, 128, 256),
    }
    assert glore_units(block)["0.glore"].channels == 64


def test_channels_can_be_given_where_they_cannot_be_found():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with pytest.raises(ValueError, match=r"output of '1' \(ReLU\); give an example"):
        insert_glore(model, after=["1"])
    insert_glore(model, after=["1"], channels=4, dim=2)
    assert model(torch.randn(1, 3, 5, 5)).shape == (1, 4, 5, 5)


def test_unit_follows_the_dtype_and_mode_of_its_block():
    model = TinyResNet3d(3).double().eval()
    unit = insert_glore(model, after=["stage2.0"]).stage2[0].glore
    assert unit.conv_proj.weight.dtype == torch.float64
    assert not unit.training


@pytest.mark.parametrize(("build", "after", "shape"), HOSTS[:3])
def test_copies_and_files_keep_the_units(build, after, shape, tmp_path):
    model = randomise(insert_glore(build(), after=after))
    x = torch.randn(shape)
    expected = model(x)
    torch.save(model, tmp_path / "model.pt")
    copies = {
        "deepcopy": copy.deepcopy(model),
        "pickle": pickle.loads(pickle.dumps(model)),
        "file": torch.load(tmp_path / "model.pt", weights_only=False),
    }
    for name, twin in copies.items():
        assert torch.equal(twin(x), expected), name
    nn.init.zeros_(next(iter(glore_units(copies["deepcopy"]).values())).blocker.weight)
    assert torch.equal(model(x), expected)
    assert not torch.equal(copies["deepcopy"](x), expected)


@pytest.mark.slow
@pytest.mark.parametrize("build_after", [HOSTS[1].values, HOSTS[2].values, "slow"])
def test_compile_without_graph_breaks_and_export(build_after):
    build, after, shape = (
        (partial(resnet, "slow"), ["blocks.2.res_blocks.0"], (1, 3, 4, 32, 32))
        if build_after == "slow"
        else build_after
    )
    model = randomise(insert_glore(build(), after=after))
    x = torch.randn(shape)
    with torch.no_grad():
        expected = model(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = torch.compile(model, fullgraph=True, backend="eager")(x)
            exported = torch.export.export(model, (x,)).module()(x)
    torch.testing.assert_close(compiled, expected)
    torch.testing.assert_close(exported, expected)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (["layer1.0", "layer2.O"], r"no block 'layer2.O'; nearest: .*layer2\.0"),
        ([""], "no block ''"),
        (["layer1.0", "layer1.0"], "'layer1.0' already has a 'glore' unit or is named twice"),
        ("layer1.0", "sequence of paths, got the string 'layer1.0'"),
    ],
)
def test_bad_paths_change_nothing(after, message):
    with torch.device("meta"):
        model = resnet18()
    keys = list(model.state_dict())
    with pytest.raises(ValueError, match=message):
        insert_glore(model, after=after)
    assert list(model.state_dict()) == keys


def test_second_insertion_is_refused():
    model = insert_glore(Toy1d(), after=["first"])
    with pytest.raises(ValueError, match="'first' already has"):
        insert_glore(model, after=["first"])


def test_containers_that_call_their_children_are_refused():
    with pytest.raises(ValueError, match=r"'second' is a container \(ModuleDict\)"):
        insert_glore(Toy1d(), after=["second"])


def test_block_that_returns_a_list_is_named():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(4, 4, 1)

        def forward(self, x):
            return [self.conv(x), x]

    model = insert_glore(nn.Sequential(Two()), after=["0"])
    with pytest.raises(ValueError, match="after a Two, which returns list"):
        model(torch.zeros(1, 4, 5))


def softmax_attention(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Non-local block on (1, channels, t, h, w) without pooling, from the paper's equations."""
    flat = x[0].flatten(1)

    def project(conv):
        return conv.weight.flatten(1) @ flat + conv.bias[:, None]

    theta, phi, g = (project(c) for c in (block.conv_theta, block.conv_phi, block.conv_g))
    weights = (theta.T @ phi / theta.shape[0] ** 0.5).softmax(dim=1)
    y = block.conv_out.weight.flatten(1) @ (g @ weights.T) + block.conv_out.bias[:, None]
    y = y / (1 + block.norm.eps) ** 0.5 * block.norm.weight[:, None] + block.norm.bias[:, None]
    return x + y.reshape(x.shape)


def test_nonlocal_block_is_the_identity_first_and_attention_then():
    model = nn.Sequential(nn.Sequential(nn.Conv3d(3, 6, 1)), nn.Sequential(nn.Conv3d(6, 2, 1)))
    model = model.double().eval()
    x = torch.randn(1, 3, 2, 4, 4, dtype=torch.float64)
    expected = model(x)
    insert_nonlocal(model, after=["0"], pool=(1, 1, 1))
    assert torch.equal(model(x), expected)
    block = model[0].nonlocal_block
    nn.init.normal_(block.norm.weight)
    attended = softmax_attention(block, model[0][0](x))
    torch.testing.assert_close(model(x), model[1](attended))


def test_nonlocal_after_a_glore_unit_in_one_block():
    model = TinyResNet3d(3)
    insert_nonlocal(insert_glore(model, after=["stage1.0"]), after=["stage1.0"])
    assert list(inserted_units(model)) == ["stage1.0.glore", "stage1.0.nonlocal_block"]
    assert list(glore_units(model)) == ["stage1.0.glore"]
    assert model(torch.randn(2, 3, 2, 16, 16)).shape == (2, 3)


def test_nonlocal_errors():
    with pytest.raises(ValueError, match="needs 3d or 2d feature maps, this network's are 1d"):
        insert_nonlocal(Toy1d(), after=["first"])
    with pytest.raises(ValueError, match="softmax or dot_product, got 'gaussian'"):
        insert_nonlocal(TinyResNet3d(2), after=["stage2"], instantiation="gaussian")


def test_zero_init_units_resets_all_or_the_named():
    model = insert_glore(TinyResNet3d(3), after=["stage1.0", "stage2.0"])
    insert_nonlocal(model, after=["stage1.1"])

    def spoil():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm3d):
                nn.init.ones_(module.weight)

    spoil()
    zero_init_units(model, ["stage2.0.glore"])
    assert model.stage2[0].glore.blocker.weight.abs().max() == 0
    assert model.stage1[0].glore.blocker.weight.min() == 1
    zero_init_units(model)
    assert model.stage1[0].glore.blocker.weight.abs().max() == 0
    assert model.stage1[1].nonlocal_block.norm.weight.abs().max() == 0
    assert model.stage1[0].bn1.weight.min() == 1


def test_patterns_name_blocks():
    torch.manual_seed(0)
    model = nn.Sequential()
    model.stage = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 1)) for _ in range(3)))
    insert_glore(model, after=["stage.*"])
    assert list(glore_units(model)) == [f"stage.{number}.glore" for number in range(3)]
    with pytest.raises(ValueError, match=r"no block 'other.\*'"):
        insert_glore(model, after=["other.*"])
