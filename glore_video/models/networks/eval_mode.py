"""Train and eval mode of a network, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Puts a network in eval mode and each of its modules back into its own at the end."""
    with _modes_kept(model):
        model.eval()
        yield


@contextmanager
def trial_of_train_mode(model: nn.Module) -> Iterator[None]:
    """Puts a network in train mode; modes, buffers and random numbers are as before at the end."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = {buffer.device.index for buffer in model.buffers() if buffer.is_cuda}
    try:
        with _modes_kept(model), torch.random.fork_rng(devices=list(devices)):
            model.train()
            yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def _modes_kept(model: nn.Module) -> Iterator[None]:
    training = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
