"""Groups of parameters, and what drives them."""

import copy
import sys

import pytest
import torch
from torch import nn

from glore_video.engine.optimizer import (
    GroupRules,
    build_optimizer,
    group_table,
    parameter_groups,
    set_learning_rate,
)
from glore_video.models import GloreUnit3d


def groups_of(model, **options):
    return parameter_groups(
        model, GroupRules(**{"weight_decay": 1e-4, "bn_weight_decay": 0.5} | options)
    )


def names_by_group(model, **options):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        (group["name"], group["weight_decay"], group["lr_factor"]): {
            names[id(p)] for p in group["params"]
        }
        for group in groups_of(model, **options)
    }


def test_groups_of_a_unit():
    unit = GloreUnit3d(8)
    weights = {"conv_state.weight", "conv_proj.weight", "conv_extend.weight"}
    weights |= {"gcn.conv1.weight", "gcn.conv2.weight"}
    biases = {"conv_state.bias", "conv_proj.bias", "gcn.conv1.bias"}
    assert names_by_group(unit) == {
        ("batch norm", 0.5, 1.0): {"blocker.weight", "blocker.bias"},
        ("decay", 1e-4, 1.0): weights | biases,
    }
    assert names_by_group(unit, zero_decay_vectors=True) == {
        ("batch norm", 0.5, 1.0): {"blocker.weight", "blocker.bias"},
        ("no decay", 0.0, 1.0): biases,
        ("decay", 1e-4, 1.0): weights,
    }
    assert names_by_group(unit, zero_decay_biases=True) == {
        ("batch norm", 0.5, 1.0): {"blocker.weight"},
        ("biases", 0.0, 1.0): biases | {"blocker.bias"},
        ("decay", 1e-4, 1.0): weights,
    }


def test_3x3_convolutions_learn_at_their_own_rate():
    model = nn.Sequential(
        nn.Conv3d(2, 2, (1, 3, 3)), nn.Conv3d(2, 2, 3), nn.Conv3d(2, 2, 1), nn.Conv2d(2, 2, 3)
    )
    assert names_by_group(model, lr_factor_3x3=0.5) == {
        ("decay, 3x3", 1e-4, 0.5): {"0.weight", "0.bias", "3.weight", "3.bias"},
        ("decay", 1e-4, 1.0): {"1.weight", "1.bias", "2.weight", "2.bias"},
    }
    optimizer = build_optimizer("sgd", groups_of(model, lr_factor_3x3=0.5), lr=1.0)
    set_learning_rate(optimizer, 0.2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]


def test_heads_learn_at_their_own_rate():
    model = nn.ModuleDict(
        {"head": nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)), "header": nn.Linear(2, 2)}
    )
    options = {"lr_factor_heads": 10.0, "heads": ("head",), "lr_factor_3x3": 0.5}
    assert names_by_group(model, **options) == {
        ("decay, 3x3, head", 1e-4, 5.0): {"head.0.weight", "head.0.bias"},
        ("batch norm, head", 0.5, 10.0): {"head.1.weight", "head.1.bias"},
        ("decay", 1e-4, 1.0): {"header.weight", "header.bias"},
    }
    assert group_table(groups_of(model, **options)).splitlines()[:2] == [
        "group             tensors   parameters    decay  lr factor",
        "decay, 3x3, head        2           38   0.0001          5",
    ]


def test_every_parameter_is_in_exactly_one_group():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.BatchNorm1d(2), shared, nn.PReLU())
    grouped = [p for group in groups_of(model, zero_decay_biases=True) for p in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(model.parameters()))


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    assert names_by_group(layer) == {("decay", 1e-4, 1.0): {"weight"}}


def test_table():
    layer = nn.Sequential(nn.Linear(1000, 2), nn.BatchNorm1d(2))
    assert group_table(groups_of(layer)).splitlines() == [
        "group          tensors   parameters    decay  lr factor",
        "decay                2        2,002   0.0001          1",
        "batch norm           2            4      0.5          1",
    ]


def test_lamb_is_timms():
    """timm clips the gradient to 1 itself; here TrainStep does so, by SOLVER.CLIP_GRAD_L2NORM."""
    timm_optim = pytest.importorskip("timm.optim", reason="timm is an extra")
    torch.manual_seed(0)
    ours = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2)
    )
    theirs = copy.deepcopy(ours)
    groups = groups_of(ours, weight_decay=0.02, bn_weight_decay=0.0, zero_decay_vectors=True)
    optimizer = build_optimizer("lamb", groups, lr=0.005, betas=(0.9, 0.99))
    plain = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    other = timm_optim.Lamb(plain, lr=0.005, betas=(0.9, 0.99))
    for _ in range(5):
        pictures = torch.randn(4, 3, 4, 4)
        for network in (ours, theirs):
            network.zero_grad()
            network(pictures).square().sum().backward()
        norm = nn.utils.clip_grad_norm_(ours.parameters(), 1.0)
        assert norm > 2
        optimizer.step()
        other.step()
    # torch adds 1e-6 to the norm that it divides by.
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_lamb_does_not_clip_by_itself():
    timm_optim = pytest.importorskip("timm.optim", reason="timm is an extra")
    averages = []
    for build in (
        lambda params: build_optimizer("lamb", params, lr=0.1),
        lambda params: timm_optim.Lamb(params, lr=0.1),
    ):
        parameter = nn.Parameter(torch.ones(4))
        optimizer = build([{"params": [parameter], "weight_decay": 0.1, "lr_factor": 1.0}])
        parameter.grad = torch.full((4,), 10.0)
        optimizer.step()
        averages.append(optimizer.state[parameter]["exp_avg"])
    # A tenth of the gradient; timm's is one of norm 1, a half for each of four.
    torch.testing.assert_close(averages[0], torch.full((4,), 1.0))
    torch.testing.assert_close(averages[1], torch.full((4,), 0.05))


def test_lamb_without_timm_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "glore_video.engine.lamb", None)
    with pytest.raises(
        ValueError, match="lamb is timm's, which is not installed; pip install timm"
    ):
        build_optimizer("lamb", groups_of(nn.Linear(2, 2)), lr=1.0)


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw"])
def test_groups_drive_an_optimiser(method):
    layer = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    groups = groups_of(layer, weight_decay=0.1, bn_weight_decay=0.0)
    build_optimizer(method, groups, lr=1.0, momentum=0.9, nesterov=True).step()
    # Adam takes the decay for a gradient, and divides it by its own size.
    expected = {"sgd": 1 - 1.9 * 0.1, "adamw": 1 - 0.1, "adam": 0.0}[method]
    torch.testing.assert_close(layer[0].weight.data, torch.full((2, 2), expected))
    assert torch.equal(layer[1].weight, torch.ones(2))
