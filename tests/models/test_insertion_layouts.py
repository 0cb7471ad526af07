"""Units in networks whose channels come last: tokens and maps of vision transformers."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from glore_video.errors import UsageError
from glore_video.models import glore_units, insert_glore, insert_nonlocal, remove_glore
from glore_video.models.units.glore_unit import GloreUnit


def timm_network(name):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    return timm.create_model(name, num_classes=3)


# network, block, input, channels, position axes, layout
HOSTS = [
    pytest.param(
        lambda: timm_network("vit_tiny_patch16_224"),
        *("blocks.1", (3, 224, 224), 192, 1, "channels_last"),
        id="ViT of timm",
    ),
    pytest.param(
        lambda: torchvision.models.swin_t(num_classes=3),
        *("features.1.1", (3, 64, 64), 96, 2, "channels_last"),
        id="Swin of torchvision",
    ),
    pytest.param(
        lambda: torchvision.models.video.swin3d_t(num_classes=3),
        *("features.0.1", (3, 4, 32, 32), 96, 3, "channels_last"),
        id="video Swin of torchvision",
    ),
    pytest.param(
        lambda: torchvision.models.convnext_tiny(num_classes=3),
        *("features.3.0", (3, 64, 64), 192, 2, "channels_first"),
        id="ConvNeXt of torchvision",
    ),
    pytest.param(
        lambda: torchvision.models.inception_v3(num_classes=3, init_weights=False),
        *("Mixed_5b", (3, 96, 96), 256, 2, "channels_first"),
        id="joined branches",
    ),
    pytest.param(
        lambda: timm_network("seresnet50"),
        *("layer1.0", (3, 64, 64), 256, 2, "channels_first"),
        id="squeeze and excitation",
    ),
]


HOSTS += [
    pytest.param(
        lambda: timm_network("coat_lite_tiny"),
        *("serial_blocks1.0.factoratt_crpe", (3, 224, 224), 64, 1, "channels_last"),
        id="2D convolutions inside an attention over tokens",
    ),
    pytest.param(
        lambda: timm_network("vit_tiny_patch16_224"),
        *("blocks.1.mlp.act", (3, 224, 224), 768, 1, "channels_last"),
        id="an activation of a ViT",
    ),
    pytest.param(
        lambda: timm_network("vit_tiny_patch16_224"),
        *("patch_embed", (3, 224, 224), 192, 1, "channels_last"),
        id="patches of a ViT",
    ),
    pytest.param(
        lambda: torchvision.models.resnet18(num_classes=3),
        *("maxpool", (3, 64, 64), 64, 2, "channels_first"),
        id="a pool",
    ),
]


@pytest.mark.parametrize(("make", "block", "shape", "channels", "dim", "layout"), HOSTS)
def test_layout_is_seen_on_an_example(make, block, shape, channels, dim, layout):
    torch.manual_seed(0)
    model, example = make().eval(), torch.randn(1, *shape)
    with torch.no_grad():
        before = model(example)
        insert_glore(model, after=[block], example=example)
        (unit,) = glore_units(model).values()
        assert (unit.channels, unit.dimension, unit.layout) == (channels, dim, layout)
        assert torch.equal(model(example), before)
        nn.init.ones_(unit.blocker.weight)
        assert not torch.equal(model(example), before)
        assert torch.equal(remove_glore(model)(example), before)


@pytest.mark.parametrize("order", ["published", "reassociated"])
@pytest.mark.parametrize("positions", [(7,), (3, 5), (2, 3, 4)], ids=["1D", "2D", "3D"])
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_a_unit_reasons_alike_in_both_layouts(order, positions, train):
    torch.manual_seed(0)
    first = GloreUnit(8, dimension=len(positions), order=order).double().train(train)
    for parameter in first.parameters():
        nn.init.normal_(parameter)
    last = copy.deepcopy(first)
    last.layout = "channels_last"
    x = torch.randn(2, 8, *positions, dtype=torch.float64)
    torch.testing.assert_close(last(x.movedim(1, -1)), first(x).movedim(1, -1))


def test_shapes_of_the_other_layout_are_refused():
    unit = GloreUnit(8, dimension=1, layout="channels_last")
    with pytest.raises(
        UsageError, match=r"needs \(batch, 1 position axes, 8\), got shape \(2, 8, 5\)"
    ):
        unit(torch.zeros(2, 8, 5))
    with pytest.raises(UsageError, match="layout must be one of channels_first, channels_last"):
        GloreUnit(8, layout="nhwc")
    with pytest.raises(UsageError, match="layout must be auto, channels_first or channels_last"):
        insert_glore(nn.Sequential(nn.Conv1d(1, 1, 1)), after=["0"], layout="last")


class Tokens(nn.Module):
    """As many tokens as channels, of which no shape tells which is which."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8))

    def forward(self, x):
        return self.block(x)


class Joined(nn.Module):
    """Branches joined into maps as wide as one branch has channels."""

    def __init__(self):
        super().__init__()
        self.block = nn.Module()
        self.block.left, self.block.right = nn.Conv2d(3, 5, 1), nn.Conv2d(3, 8, 1)
        self.block.forward = lambda x: torch.cat([self.block.left(x), self.block.right(x)], 1)

    def forward(self, x):
        return self.block(x)


def test_a_branch_as_wide_as_the_map_is_no_channel_axis():
    for size, refused in ((8, True), (6, False)):
        model = Joined()
        if refused:
            with pytest.raises(UsageError, match=r"returns shape \(1, 13, 8, 8\).*give layout"):
                insert_glore(model, after=["block"], example=torch.zeros(1, 3, size, size))
        else:
            insert_glore(model, after=["block"], example=torch.zeros(1, 3, size, size))
            assert glore_units(model)["block.glore"].channels == 13


class MixedTokens(nn.Module):
    """A linear layer over 6 tokens, between transpositions, after a norm over 4 channels."""

    def __init__(self):
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(4), nn.Linear(6, 6)

    def forward(self, x):
        return self.mix(self.norm(x).transpose(1, 2)).transpose(1, 2)


def test_a_layer_over_tokens_is_not_taken_for_one_over_channels():
    with pytest.raises(UsageError, match=r"MixedTokens\) returns shape \(1, 6, 4\).*give layout"):
        insert_glore(Around(MixedTokens()), after=["block"], example=torch.zeros(1, 6, 4))


class Around(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return self.block(x)


@pytest.mark.parametrize("order", ["published", "reassociated"])
def test_tokens_keep_their_order_in_memory(order):
    x = torch.randn(2, 50, 8)
    unit = GloreUnit(8, dimension=1, order=order, layout="channels_last").eval()
    with torch.no_grad():
        assert unit(x).is_contiguous()
        assert torch.equal(unit(x), x)


def test_what_can_not_be_told_is_asked_for():
    model, example = Tokens(), torch.randn(1, 8, 8)
    with pytest.raises(UsageError, match=r"'block' \(Sequential\) returns shape .* give layout"):
        insert_glore(model, after=["block"], example=example)
    insert_glore(model, after=["block"], example=example, layout="channels_last")
    assert glore_units(model)["block.glore"].layout == "channels_last"


def test_a_non_local_block_takes_no_tokens():
    model = torchvision.models.video.swin3d_t(num_classes=3)
    with pytest.raises(UsageError, match="needs channels first, this network's come last"):
        insert_nonlocal(model, after=["features.0.1"], example=torch.zeros(1, 3, 4, 32, 32))


def test_tokens_survive_compilation_and_export():
    torch.manual_seed(0)
    model, example = Tokens().eval(), torch.randn(3, 5, 8)
    insert_glore(model, after=["block"], example=example)
    nn.init.ones_(glore_units(model)["block.glore"].blocker.weight)
    with torch.no_grad():
        expected = model(example)
        exported = torch.export.export(model, (example,)).module()
        torch.testing.assert_close(exported(example), expected)
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(example), expected)
