"""Units taken out again, put in again, and carried through torch.fx."""

import pytest
import torch
import torchvision
from torch import fx, nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from glore_video import remove_glore
from glore_video.models import (
    GloreUnit2d,
    glore_units,
    insert_glore,
    insert_nonlocal,
    inserted_units,
)
from glore_video.models.networks.tiny import TinyResNet3d

AFTER = ["layer1.0", "layer2.1", "layer3"]  # the last one is a Sequential


def host():
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=5).eval()


def with_units():
    model = insert_glore(host(), after=AFTER, nodes=3, states=4)
    for unit in glore_units(model).values():
        nn.init.normal_(unit.blocker.weight)
    return model


def picture():
    return torch.randn(2, 3, 32, 32)


def state(model):
    return [
        (name, list(m._modules), len(m._forward_hooks), len(m._forward_pre_hooks))
        for name, m in model.named_modules()
    ]


@pytest.mark.parametrize("ran", [False, True], ids=["at once", "after a pass"])
def test_removed_units_leave_nothing(ran):
    plain, model, x = host(), with_units(), picture()
    if ran:
        assert not torch.allclose(model(x), plain(x))
    assert remove_glore(model) is model
    assert state(model) == state(plain)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert torch.equal(model(x), plain(x))


def test_some_units_are_removed():
    model, x = with_units(), picture()
    model(x)
    remove_glore(model, after=["layer3", "layer1.0"])
    assert list(glore_units(model)) == ["layer2.1.glore"]
    unit = model.layer2[1].glore
    features = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    features = unit(model.layer2[1].forward(model.layer2[0](model.layer1(features))))
    features = model.avgpool(model.layer4(model.layer3(features))).flatten(1)
    assert torch.equal(model(x), model.fc(features))


def test_what_was_not_inserted_is_not_removed():
    model = with_units()
    model.layer4[0].glore = GloreUnit2d(512)  # somebody's own, that no hook runs
    with pytest.raises(ValueError, match=r"after 'layer4.0'; blocks with one: layer1.0, layer2.1,"):
        remove_glore(model, after=["layer1.0", "layer4.0"])
    with pytest.raises(ValueError, match="got the string 'layer1.0'"):
        remove_glore(model, after="layer1.0")
    assert len(glore_units(remove_glore(model))) == 1
    with pytest.raises(ValueError, match="blocks with one: none"):
        remove_glore(host(), after=["layer1.0"])


@pytest.mark.parametrize("path", AFTER)
def test_a_unit_deleted_by_hand_is_gone_and_another_runs_once(path):
    plain, model, x = host(), with_units(), picture()
    for other in AFTER:
        del model.get_submodule(other).glore
    assert torch.equal(model(x), plain(x))
    insert_glore(model, after=[path])
    calls = []
    unit = glore_units(model)[f"{path}.glore"]
    unit.register_forward_hook(lambda *_: calls.append(1))
    assert torch.equal(model(x), plain(x))
    assert calls == [1]


def test_a_nonlocal_block_deleted_by_hand_is_gone_and_another_runs_once():
    model = TinyResNet3d(3, widths=(4, 8, 8)).eval()
    clip = torch.randn(1, 3, 4, 16, 16)
    expected = model(clip)
    insert_nonlocal(model, after=["stage1.0"])
    del model.stage1[0].nonlocal_block
    assert torch.equal(model(clip), expected)
    insert_nonlocal(model, after=["stage1.0"])
    calls = []
    for block in inserted_units(model).values():
        block.register_forward_hook(lambda *_: calls.append(1))
    model(clip)
    assert calls == [1]


def test_traced_by_fx_units_are_nodes():
    model, x = with_units(), picture()
    graph = fx.symbolic_trace(model)
    nodes = [node.target for node in graph.graph.nodes if str(node.target).endswith(".glore")]
    assert nodes == [f"{path}.glore" for path in AFTER]
    for size in (x, torch.randn(1, 3, 48, 40)):
        assert torch.equal(graph(size), model(size))


def test_features_after_a_unit_are_extracted():
    model, x = with_units(), picture()
    assert "layer2.1.glore" in get_graph_node_names(model)[1]
    features = create_feature_extractor(model, {"layer2": "second", "layer3": "third"})(x)
    seen = {}
    for name in ("layer2", "layer3"):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.setdefault(name, output)
        )
    model(x)
    assert torch.equal(features["second"], seen["layer2"])
    assert torch.equal(features["third"], seen["layer3"])


def test_a_unit_alone_is_no_graph():
    with pytest.raises(
        ValueError, match=r"can't trace a GloRe unit alone.*torch\.export takes both"
    ):
        fx.symbolic_trace(GloreUnit2d(8))


class Quantised(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Conv2d(3, 4, 1)
        self.last = Rounded()

    def forward(self, x):
        return self.last(self.block(x))


class Rounded(nn.Module):
    def forward(self, x):
        return torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)


@pytest.mark.skipif(
    not hasattr(torch, "quantize_per_tensor"), reason="this torch has no quantised tensors"
)
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_quantised_maps_are_named():
    x = torch.randn(1, 3, 4, 5)
    with pytest.raises(
        ValueError, match=r"Rounded that returns quantised numbers \(torch.quint8\)"
    ):
        insert_glore(Quantised(), after=["last"], example=x)
    model = insert_glore(Quantised(), after=["last"], channels=4, dim=2)
    with pytest.raises(ValueError, match="insert them before quantising"):
        model(x)


def test_a_unit_beside_integer_weights_is_of_floating_point():
    block = nn.Sequential(nn.Conv2d(3, 4, 1))
    block.scales = nn.Parameter(torch.ones(4, dtype=torch.int8), requires_grad=False)
    model = nn.Sequential(block, nn.ReLU())
    insert_glore(model, after=["0"])
    assert model[0].glore.conv_proj.weight.dtype == torch.float32
