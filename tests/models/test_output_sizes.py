import warnings

import pytest
import torch
from torch import Tensor, nn

from glore_video.models.networks.inserted_units import glore_units
from glore_video.models.networks.insertion import insert_glore, insert_nonlocal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torchvision import models as vision

# Hosts, blocks, and the channels that their documentation gives.
BY_THEIR_LAYERS = [
    ("resnet18", ["layer2.1", "layer3"], [128, 256]),
    ("mobilenet_v2", ["features.4"], [32]),
    ("mobilenet_v3_small", ["features.5"], [40]),
    ("efficientnet_b0", ["features.3.0"], [40]),
    ("regnet_y_400mf", ["trunk_output.block3.block3-0"], [208]),
    ("densenet121", ["features.transition2"], [256]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "after", "channels"), BY_THEIR_LAYERS)
def test_torchvision_blocks(name, after, channels):
    model = insert_glore(getattr(vision, name)(), after=after, nodes=2, states=2).eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 64))
    assert [unit.channels for unit in glore_units(model).values()] == channels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "after", "channels"),
    [
        ("seresnet50", ["layer3.1"], [1024]),
        ("convnext_atto", ["stages.1.blocks.0"], [80]),
        ("efficientnet_b0", ["blocks.2.0"], [40]),
        ("regnety_004", ["s2.b1"], [104]),
        ("resnetv2_50", ["stages.1.blocks.0"], [512]),
    ],
)
def test_timm_blocks(name, after, channels):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    model = insert_glore(timm.create_model(name), after=after, nodes=2, states=2).eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 64))
    assert [unit.channels for unit in glore_units(model).values()] == channels


@pytest.mark.parametrize(
    ("name", "after", "channels"),
    [("squeezenet1_0", ["features.3"], [128]), ("shufflenet_v2_x0_5", ["stage2.1"], [48])],
)
def test_blocks_that_concatenate_are_measured(name, after, channels):
    model = getattr(vision, name)().eval()
    x = torch.randn(1, 3, 64, 64)
    expected = model(x)
    model.train()
    insert_glore(model, after=after, nodes=2, states=2, example=x)
    assert [unit.channels for unit in glore_units(model).values()] == channels
    assert all(module.training for module in model.modules())
    assert torch.equal(model.eval()(x), expected)


class Concatenated(nn.Module):
    """Two 3d maps of 2 channels each."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv3d(1, 2, 1)
        self.norm = nn.BatchNorm3d(2)
        self.unused = nn.Conv3d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.a(x), self.norm(self.a(x))], 1)


def test_measuring_leaves_no_trace():
    model = nn.Sequential(Concatenated()).train()
    statistics = model[0].norm.running_mean.clone()
    insert_nonlocal(model, after=["0"], example=torch.randn(2, 1, 2, 4, 4), pool=(1, 1, 1))
    assert model[0].nonlocal_block.conv_g.in_channels == 4
    assert torch.equal(model[0].norm.running_mean, statistics)
    assert model[0].norm.num_batches_tracked == 0
    assert len(model[0]._forward_hooks) == 1


def test_what_the_example_does_not_show():
    model = nn.Sequential(Concatenated(), nn.Flatten())
    example = torch.randn(1, 1, 2, 2, 2)
    with pytest.raises(ValueError, match=r"does not run '0\.unused' on the example"):
        insert_glore(model, after=["0.unused"], example=example)
    with pytest.raises(ValueError, match=r"'1' returns shape \(1, 32\) on the example"):
        insert_glore(model, after=["0", "1"], example=example)
    assert not glore_units(model)
    assert not model[0]._forward_hooks
