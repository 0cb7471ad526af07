"""Weight decay groups."""

import torch
from torch import nn

from glore_video.engine.optimizer import parameter_groups
from glore_video.models import GloreUnit3d


def names_by_group(model, **options):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, weight_decay=1e-4, bn_weight_decay=0.5, **options)
    return {
        (group["name"], group["weight_decay"]): {names[id(p)] for p in group["params"]}
        for group in groups
    }


def test_groups_of_a_unit():
    unit = GloreUnit3d(8)
    weights = {"conv_state.weight", "conv_proj.weight", "conv_extend.weight"}
    weights |= {"gcn.conv1.weight", "gcn.conv2.weight"}
    biases = {"conv_state.bias", "conv_proj.bias", "gcn.conv1.bias"}
    norm = {"blocker.weight", "blocker.bias"}
    assert names_by_group(unit) == {
        ("batch norm", 0.5): norm,
        ("decay", 1e-4): weights | biases,
    }
    assert names_by_group(unit, zero_decay_vectors=True) == {
        ("batch norm", 0.5): norm,
        ("no decay", 0.0): biases,
        ("decay", 1e-4): weights,
    }


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    assert names_by_group(layer) == {("decay", 1e-4): {"weight"}}


def test_groups_drive_an_optimiser():
    layer = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    groups = parameter_groups(layer, weight_decay=0.1, bn_weight_decay=0.0)
    torch.optim.SGD(groups, lr=1.0).step()
    assert torch.equal(layer[0].weight, torch.full((2, 2), 0.9))
    assert torch.equal(layer[1].weight, torch.ones(2))
