"""Projection maps against a direct computation, and that a network stays as it was."""

import copy

import pytest
import torch
from torch import nn

from glore_video.inspection import inspect_units, projection_maps
from glore_video.models import (
    GloreUnit,
    GloreUnit2d,
    GloreUnit3d,
    TinyResNet3d,
    glore_units,
    insert_glore,
)
from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.units.idle_units import stop_watching


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = TinyResNet3d(5, widths=(4, 8, 8))
    insert_glore(net, after=["stage1.1", "stage2.0"], nodes=3, states=2)
    for unit in glore_units(net).values():
        nn.init.normal_(unit.blocker.weight)
    stop_watching(net)  # the first pass would take those hooks away
    return net.train()


@pytest.fixture
def clip():
    return torch.randn(3, 2, 16, 24, generator=torch.Generator().manual_seed(1))


def state(net):
    return {
        "state": {key: value.clone() for key, value in net.state_dict().items()},
        "training": [m.training for m in net.modules()],
        "grads": [p.grad for p in net.parameters()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()],
        "orders": [unit.order for unit in glore_units(net).values()],
        "requires": [p.requires_grad for p in net.parameters()],
    }


def assert_same(before, after):
    torch.testing.assert_close(before.pop("state"), after.pop("state"), rtol=0, atol=0)
    assert before == after


def test_no_way_back_is_kept_for_what_comes_before_the_units(network, clip):
    network.stem[0].weight.requires_grad_(False)
    before, seen = state(network), []
    handle = network.stage1.register_forward_hook(
        lambda module, inputs, output: seen.append((output.requires_grad, inputs[0].requires_grad))
    )
    inspect_units(network, clip)
    handle.remove()
    # The unit in stage1 is asked about, what comes before it is not.
    assert seen == [(True, False)]
    assert_same(before, state(network))


class OnePosition(nn.Module):
    """A unit whose node 0 gathers where channel 1 is set, and node 1 everywhere alike."""

    def __init__(self, unit_class):
        super().__init__()
        self.unit = unit_class(2, nodes=2, states=1)
        self.head = nn.Linear(2, 3)
        weight = self.unit.conv_proj.weight
        with torch.no_grad():
            weight.zero_()
            weight[0, 1] = 2.0
            self.unit.conv_proj.bias.copy_(torch.tensor([0.0, 0.5]))

    def forward(self, x):
        return self.head(self.unit(x).flatten(2).mean(2))


def test_a_projection_that_picks_one_position():
    clip = torch.zeros(2, 2, 3, 4)
    clip[1, 1, 2, 3] = 5.0
    (maps,) = projection_maps(OnePosition(GloreUnit3d), clip).values()
    expected = torch.zeros(2, 3, 4)
    expected[1, 2, 3] = 10.0
    assert torch.equal(maps[0], expected)
    assert torch.equal(maps[1], torch.full((2, 3, 4), 0.5))


def test_two_dimensional_network():
    picture = torch.zeros(2, 3, 4)
    picture[1, 0, 2] = 1.0
    net = OnePosition(GloreUnit2d)
    maps = projection_maps(net, picture)["unit"]
    assert maps.shape == (2, 3, 4)
    assert maps[0].nonzero().tolist() == [[0, 2]]
    unit = inspect_units(net, picture[None]).units["unit"]
    assert unit.activity.shape == (2, 1)
    torch.testing.assert_close(unit.activity[:, 0], torch.tensor([2 / 12, 0.5]))


class Patches(nn.Module):
    """A transformer's outline: a class token, patches of 2 x 2, a unit over tokens, a head."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 2, 2, stride=2, bias=False)
        self.unit = GloreUnit(2, nodes=2, states=1, dimension=1, layout="channels_last")
        self.head = nn.Linear(2, 3)
        with torch.no_grad():
            self.patches.weight.copy_(torch.tensor([0.25, 1.0])[:, None, None, None])
            self.unit.conv_proj.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]])[..., None])
            self.unit.conv_proj.bias.zero_()
            nn.init.ones_(self.unit.blocker.weight)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)  # (batch, patches, 2)
        tokens = torch.cat([torch.full_like(tokens[:, :1], 7.0), tokens], dim=1)
        return self.head(self.unit(tokens)[:, 0])


@pytest.mark.parametrize("batched", [False, True])
def test_tokens(batched):
    picture = torch.zeros(1, 4, 4)
    picture[0, :2, 2:] = 5.0  # the second patch
    picture = picture[None] if batched else picture
    torch.manual_seed(0)
    net = Patches()
    maps = projection_maps(net, picture)["unit"]
    assert maps.tolist() == [[7.0, 0, 5, 0, 0], [-7.0, 0, -20, 0, 0]]
    inspection = inspect_units(net, picture)
    unit = inspection.units["unit"]
    assert torch.equal(unit.maps, maps)
    torch.testing.assert_close(unit.activity, torch.tensor([[12 / 5], [27 / 5]]))
    assert unit.importance.any()
    assert inspection.logits.shape == (3,)


def test_a_transformer_of_timm():
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", depth=2, num_classes=3, img_size=32)
    picture = torch.randn(3, 32, 32)
    insert_glore(model, after=["blocks.0"], nodes=4, example=picture[None])
    (unit,) = glore_units(model).values()
    tokens = []
    hook = unit.register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    with torch.no_grad():
        model.eval()(picture[None])
    hook.remove()
    (maps,) = projection_maps(model, picture).values()
    expected = tokens[0][0] @ unit.conv_proj.weight[..., 0].T + unit.conv_proj.bias  # (5, 4)
    torch.testing.assert_close(maps, expected.T, rtol=1e-4, atol=1e-5)


def test_importance_for_a_function_of_the_outputs(network, clip):
    by_class = inspect_units(network, clip, target=2)
    by_function = inspect_units(network, clip, target=lambda outputs: 3 * outputs[0, 2])
    assert (by_function.logits, by_function.target) == (None, None)
    for path, unit in by_class.units.items():
        torch.testing.assert_close(by_function.units[path].importance, 3 * unit.importance)


def test_maps_are_the_projection_of_what_reaches_the_unit(network, clip):
    maps = projection_maps(network, clip)
    assert list(maps) == ["stage1.1.glore", "stage2.0.glore"]
    net = copy.deepcopy(network).eval()
    with torch.no_grad():
        block = net.stage1[1]
        x = net.stage1[0](net.stem(clip[None]))
        y = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x)))))
        x = torch.relu(y + x)  # (1, 8, 2, 4, 6), the unit's input
        w = block.glore.conv_proj.weight.flatten(1)
        expected = torch.einsum("nc,cthw->nthw", w, x[0]) + block.glore.conv_proj.bias.view(
            3, 1, 1, 1
        )
    torch.testing.assert_close(maps["stage1.1.glore"], expected)
    assert maps["stage2.0.glore"].shape == (3, 2, 4, 6)


def test_the_inference_form_has_the_same_maps(network, clip):
    maps = projection_maps(network, clip)
    fused = fuse_for_inference(network.eval())
    torch.testing.assert_close(projection_maps(fused, clip), maps, rtol=1e-4, atol=1e-5)
    want, got = inspect_units(network, clip), inspect_units(fused, clip)
    for path, unit in want.units.items():
        torch.testing.assert_close(
            got.units[path].importance, unit.importance, rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("look", [projection_maps, inspect_units])
def test_the_network_stays_as_it_was(network, clip, look):
    network.stage1[0].bn1.eval()  # modes may be mixed
    before = state(network)
    look(network, clip)
    assert_same(before, state(network))


@pytest.mark.parametrize("look", [projection_maps, inspect_units])
def test_the_network_stays_as_it_was_when_it_fails(network, clip, look):
    handle = network.classifier.register_forward_hook(lambda *_: 1 / 0)
    before = state(network)
    with pytest.raises(ZeroDivisionError):
        look(network, clip)
    assert_same(before, state(network))
    handle.remove()


def test_importance_is_the_slope_of_the_logit(network, clip):
    """Finite differences: the answer of one node, scaled by 1 + e and 1 - e."""
    network = network.double()
    clip = clip.double()
    inspection = inspect_units(network, clip)
    network.eval()
    for path, unit in glore_units(network).items():
        unit.order = "published"
        for node in range(3):
            logits = []
            for factor in (1 + 1e-4, 1 - 1e-4):

                def scale(module, inputs, evolved, node=node, factor=factor):
                    evolved = evolved.clone()
                    evolved[:, :, node] *= factor
                    return evolved

                handle = unit.gcn.register_forward_hook(scale)
                with torch.no_grad():
                    logits.append(network(clip[None])[0, inspection.target])
                handle.remove()
            slope = (logits[0] - logits[1]) / 2e-4
            torch.testing.assert_close(
                inspection.units[path].importance[node].double(), slope, rtol=1e-4, atol=1e-6
            )


def test_importance_whatever_the_order(network, clip):
    importance = {}
    for order in ("published", "reassociated"):
        for unit in glore_units(network).values():
            unit.order = order
        importance[order] = inspect_units(network, clip).units["stage1.1.glore"].importance
    assert importance["published"].any()
    torch.testing.assert_close(importance["published"], importance["reassociated"])


def test_target_and_ranking(network, clip):
    first = inspect_units(network, clip)
    assert first.target == int(first.logits.argmax())
    other = (first.target + 1) % 5
    second = inspect_units(network, clip, target=other)
    assert second.target == other
    unit, again = first.units["stage2.0.glore"], second.units["stage2.0.glore"]
    assert not torch.allclose(unit.importance, again.importance)
    sizes = unit.importance.abs()[unit.ranking()].tolist()
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(ValueError, match="target must be a class in 0..4, got 5"):
        inspect_units(network, clip, target=5)


def test_adjacency_is_what_the_nodes_take_from_each_other():
    net = OnePosition(GloreUnit3d)
    with torch.no_grad():
        net.unit.gcn.conv1.weight.copy_(torch.tensor([[0.0, 3.0], [-1.0, 0.5]])[..., None])
    unit = inspect_units(net, torch.randn(2, 1, 2, 2)).units["unit"]
    assert unit.adjacency.tolist() == [[1.0, 3.0], [-1.0, 1.5]]
    v = torch.randn(1, 1, 2)  # (batch, states, nodes)
    mixed = net.unit.gcn.conv1(v.transpose(1, 2)).transpose(1, 2) + v
    torch.testing.assert_close(mixed[0, 0], unit.adjacency @ v[0, 0] + net.unit.gcn.conv1.bias)


def test_activity_over_time():
    clip = torch.zeros(2, 2, 3, 4)
    clip[1, 1] = -1.0
    unit = inspect_units(OnePosition(GloreUnit3d), clip).units["unit"]
    assert unit.activity.tolist() == [[0.0, 2.0], [0.5, 0.5]]


def test_compiled_networks(network, clip):
    compiled = torch.compile(network.eval(), backend="eager")
    compiled(clip[None])
    assert list(projection_maps(compiled, clip)) == ["stage1.1.glore", "stage2.0.glore"]
    assert inspect_units(compiled, clip).units["stage1.1.glore"].importance.any()


def test_units_that_do_not_run(clip):
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 16 * 24, 2))
    net.unused = GloreUnit3d(4)
    net.forward = lambda x: net[1](net[0](x))
    with pytest.raises(ValueError, match="none of the network's GloRe units ran"):
        projection_maps(net, clip)


def test_in_inference_mode(network, clip):
    with torch.inference_mode():
        maps = projection_maps(network, clip)
        inspection = inspect_units(network, clip)
    torch.testing.assert_close(inspection.units["stage1.1.glore"].maps, maps["stage1.1.glore"])


def test_without_units():
    with pytest.raises(ValueError, match="this Linear has no GloRe unit"):
        projection_maps(nn.Linear(1, 1), torch.zeros(3, 1, 4, 4))


@pytest.mark.parametrize("shape", [(2, 3, 2, 16, 16), (3, 16, 16)])
def test_other_shapes(network, shape):
    with pytest.raises(ValueError, match="one clip is needed, of 4 axes or of 5"):
        projection_maps(network, torch.zeros(shape))
