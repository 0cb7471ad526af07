"""What is put back of a checkpoint lies where the run computes."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from glore_video.data.samplers import TrainingBatches
from glore_video.engine.launch.processes import Process
from glore_video.engine.optimizer import build_optimizer
from glore_video.engine.resume import ResumePoint, collect_state, restore_network, restore_state

ELSEWHERE = torch.device("meta")  # stands for a GPU: it refuses to add up with the CPU's tensors


def update():
    model = nn.Linear(2, 2)
    groups = [{"params": list(model.parameters()), "lr_factor": 1.0}]
    return SimpleNamespace(
        model=model,
        optimizer=build_optimizer("sgd", groups, lr=0.1),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        average=None,
    )


def saved(total):
    here = Process(0, 1, torch.device("cpu"))
    return collect_state(update(), batches(), here, ResumePoint(3, 5, total))


def batches():
    return TrainingBatches(8, batch_size=2, seed=0)


@pytest.mark.parametrize("world_size", [1, 2], ids=["as many processes", "more processes"])
def test_sums_of_an_epoch_go_on_where_the_run_computes(world_size):
    state = saved(torch.tensor([4.0, 2.0, 8.0, 1.0], dtype=torch.float64))
    process = Process(0, world_size, ELSEWHERE)
    start = restore_state(state, Path("x.pyth"), update(), batches(), process)
    assert start.total.device == ELSEWHERE
    total = torch.zeros(4, dtype=torch.float64, device=ELSEWHERE) + start.total
    total += torch.ones(4, dtype=torch.float64, device=ELSEWHERE)


def test_sums_of_an_epoch_are_shared_out_to_more_processes():
    state = saved(torch.tensor([4.0, 2.0, 8.0, 1.0], dtype=torch.float64))
    process = Process(1, 2, torch.device("cpu"))
    start = restore_state(state, Path("x.pyth"), update(), batches(), process)
    assert (start.epoch, start.step, start.total.tolist()) == (3, 5, [2.0, 1.0, 4.0, 0.5])


PLAIN, LAST = torch.contiguous_format, torch.channels_last


def trained(method, memory_format):
    """A small network after a step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)).double()
    run = SimpleNamespace(model=model.to(memory_format=memory_format))
    run.optimizer = build_optimizer(
        method, [{"params": list(model.parameters())}], lr=0.1, momentum=0.9
    )
    one_step(run, memory_format)
    return run


def one_step(run, memory_format):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=generator)
    run.optimizer.zero_grad()
    run.model(x.contiguous(memory_format=memory_format)).square().mean().backward()
    run.optimizer.step()


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw", "lamb"])
@pytest.mark.parametrize(("before", "after"), [(PLAIN, LAST), (LAST, PLAIN)])
def test_a_run_goes_on_in_another_order_of_memory(method, before, after):
    """torch's fused optimisers take what they remember for ordered as the parameters are."""
    if method == "lamb":
        pytest.importorskip("timm", reason="timm is an extra")
    stopped, others = trained(method, before), trained(method, after)
    state = {
        "model_state": copy.deepcopy(stopped.model.state_dict()),
        "optimizer_state": copy.deepcopy(stopped.optimizer.state_dict()),
    }
    restore_network(state, Path("last.pyth"), others.model, others.optimizer)
    start = stopped.model[0].weight.detach().clone()
    one_step(stopped, before)
    one_step(others, after)
    for a, b in zip(stopped.model.parameters(), others.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    assert (stopped.model[0].weight - start).abs().max() > 1e-3
    assert others.model[0].weight.is_contiguous(memory_format=after)
