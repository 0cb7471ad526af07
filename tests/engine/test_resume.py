"""What is put back of a checkpoint lies where the run computes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from glore_video.data.samplers import TrainingBatches
from glore_video.engine.launch.processes import Process
from glore_video.engine.optimizer import build_optimizer
from glore_video.engine.resume import ResumePoint, collect_state, restore_state

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
