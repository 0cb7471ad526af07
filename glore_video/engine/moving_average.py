"""Exponential moving average of a network's weights, updated without waiting for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """torch's AveragedModel: average = decay * average + (1 - decay) * weights; buffers are the last ones.

    The number of updates stays on the host. torch's own update copies it to the device each time, for
    averages that depend on it, and so waits for all that the device has to do.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        assert self.multi_avg_fn is not None
        own: list[Tensor] = list(self.module.parameters())
        new: list[Tensor] = list(model.parameters())
        if not self.n_averaged:
            torch._foreach_copy_(own, new)
        else:
            self.multi_avg_fn(own, new, self.n_averaged)
        buffers = list(self.module.buffers())
        if buffers:
            torch._foreach_copy_(buffers, list(model.buffers()))
        self.n_averaged += 1
