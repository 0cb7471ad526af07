import pytest
import torch
import torchvision
from torch import nn

from glore_video.models.deployment.complexity import count_complexity
from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.units.glore_unit import GloreUnit3d
from glore_video.models.zoo import create_model


class Products(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 7))

    def forward(self, x):
        y = torch.einsum("bij,jk->bik", x, self.weight)
        return torch.baddbmm(y, x, self.weight.expand(1, 5, 7))


def test_hand_counted_layers():
    model = nn.Sequential(
        nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )
    cost = count_complexity(model, (3, 2, 6, 5))
    positions = 2 * 6 * 5
    conv, norm, pool, linear = 3 * 4 * 9 * positions, 2 * 4 * positions, 4 * positions, 40
    assert cost.gmacs * 1e9 == pytest.approx(conv + norm + pool + linear)
    assert cost.parameters == 3 * 4 * 9 + 2 * 4 + 4 * 10 + 10
    assert cost.parts["0"].gmacs * 1e9 == pytest.approx(conv)
    assert cost.parts["5"].gmacs * 1e9 == pytest.approx(linear)
    assert cost.skipped_ops == {}


def test_matrix_products_of_every_kind():
    cost = count_complexity(Products(), (4, 5))
    assert cost.gmacs * 1e9 == pytest.approx(2 * 4 * 5 * 7)
    assert cost.skipped_ops == {}


def test_what_is_not_counted_is_named():
    class Cumulative(nn.Linear):
        def forward(self, x):
            return super().forward(x).cumsum(1)

    assert count_complexity(Cumulative(3, 3), (3,)).skipped_ops == {"cumsum": 1}


def test_share_of_the_units():
    plain = count_complexity(TinyResNet3d(3), (3, 4, 32, 32))
    model = insert_glore(TinyResNet3d(3), after=["stage1.0"], nodes=4, states=6)
    model.stage1[0].glore.order = "published"
    cost = count_complexity(model, (3, 4, 32, 32))
    positions = 4 * 8 * 8
    products = 2 * 4 * 6 * positions  # V and Z B
    convolutions = (32 * 6 + 32 * 4 + 6 * 32) * positions + 4 * 4 * 6 + 6 * 6 * 4
    norm = 2 * 32 * positions
    assert cost.units.gmacs * 1e9 == pytest.approx(products + convolutions + norm)
    assert cost.gmacs - plain.gmacs == pytest.approx(cost.units.gmacs)
    assert cost.units.parameters == sum(p.numel() for p in GloreUnit3d(32, 4, 6).parameters())
    assert "in units" in str(cost)
    assert "in units" not in str(plain)


def test_modes_and_statistics_are_left_alone():
    model = TinyResNet3d(3).train()
    model.stage1.eval()
    modes = [m.training for m in model.modules()]
    statistics = {k: v.clone() for k, v in model.state_dict().items()}
    count_complexity(model, (3, 2, 16, 16))
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(v, statistics[k]) for k, v in model.state_dict().items())


def test_bad_clip_shape():
    with pytest.raises(ValueError, match=r"positive numbers, got \(3, 0, 4, 4\)"):
        count_complexity(TinyResNet3d(3), (3, 0, 4, 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gmacs"),
    [
        ("glore_r50_8x8", 31.9),
        ("glore_r101_8x8", 50.5),
        ("preact_r50_8x8", 25.4),
        ("preact_r101_8x8", 44.0),
    ],
)
def test_cost_of_the_published_networks(name, gmacs):
    model = create_model(name)
    for unit in glore_units(model).values():
        unit.order = "published"
    assert round(count_complexity(model, (3, 8, 224, 224)).gmacs, 1) == gmacs


def vit_of_timm():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    return timm.create_model("vit_tiny_patch16_224", depth=2)


# network, its input, part with the blocks, tokens, width, hidden width, norms in the part
VITS = {
    "timm": (vit_of_timm, (3, 224, 224), "blocks", 197, 192, 768, 4),
    "torchvision": (
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32),
        *((3, 32, 32), "encoder", 17, 16, 32, 5),
    ),
}


@pytest.mark.parametrize(
    ("make", "shape", "part", "tokens", "width", "hidden", "norms"), VITS.values(), ids=VITS
)
def test_attention_is_counted(make, shape, part, tokens, width, hidden, norms):
    counted = count_complexity(make(), shape)
    layers = tokens * (4 * width * width + 2 * width * hidden)
    attention = 2 * tokens * tokens * width
    of_norms = 5 * norms * tokens * width
    assert counted.parts[part].gmacs * 1e9 == pytest.approx(2 * (layers + attention) + of_norms)
    assert not counted.skipped_ops
