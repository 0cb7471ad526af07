"""Projection maps and importances of units of every form."""

import pytest
import torch
import torchvision
from torch import nn

from glore_video.inspection.projection import inspect_units
from glore_video.models import glore_units, insert_glore


@pytest.mark.parametrize(
    "options",
    [{"form": "preactivated"}, {"end": "gamma"}, {"end": "joint_batch_norm", "relu": False}],
    ids=["preactivated", "gamma", "joint"],
)
def test_maps_and_importance(options):
    torch.manual_seed(0)
    model = insert_glore(
        torchvision.models.resnet18(num_classes=5), units=(0, 1), nodes=4, **options
    )
    (unit,) = glore_units(model.eval()).values()
    for parameter in unit.parameters():
        nn.init.normal_(parameter, std=0.1)
    seen = []
    unit.register_forward_pre_hook(lambda unit, inputs: seen.append(inputs[0]))
    found = inspect_units(model, torch.randn(3, 64, 96)).units["layer3.0.glore"]
    assert found.maps.shape == (4, 4, 6)
    torch.testing.assert_close(found.maps, unit.conv_proj(seen[0])[0].detach())
    assert found.importance.shape == (4,)
    assert found.importance.abs().max() > 0
    weight = unit.gcn.conv1.weight.detach().squeeze(2)
    torch.testing.assert_close(found.adjacency, weight + torch.eye(4))
