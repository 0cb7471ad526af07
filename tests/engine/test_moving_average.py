"""The moving average of weights beside torch's own."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glore_video.engine.moving_average import MovingAverage


def test_equals_torchs_to_the_bit():
    """Weights, statistics, the number of updates, and what a checkpoint holds."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2).double())
    ours = MovingAverage(model, 0.9)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for _ in range(4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter)
        model[1](torch.randn(5, 3))
        ours.update_parameters(model)
        theirs.update_parameters(model)
    states = ours.state_dict(), theirs.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert int(ours.n_averaged) == 4
    assert not torch.equal(ours.module[0].weight, model[0].weight)
    assert ours.module[0].weight.data_ptr() != model[0].weight.data_ptr()


def test_of_a_network_without_buffers_and_as_a_copy():
    model = nn.Linear(2, 2)
    average = copy.deepcopy(MovingAverage(model, 0.5))
    average.update_parameters(model)
    assert torch.equal(average.module.weight, model.weight)
