"""Forward passes of a network that is not trained: normalised on the device, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.engine.device_copies import DeviceCopies
from glore_video.engine.precision import Precision
from glore_video.models.units.idle_units import refuse_idle_units

Normalize = Callable[[Tensor, torch.device], Tensor]
"""uint8 (n, 3, *positions) anywhere -> float32 on the device, as the network takes it."""


def forward_pass(
    network: nn.Module,
    *,
    normalize: Normalize,
    precision: Precision,
    run: Callable[[Tensor], Any] | None = None,
) -> Callable[[Tensor], Any]:
    """A function from uint8 (n, 3, *positions) to the network's outputs, on the device.

    Its network must be in eval mode and on precision.device. It raises UsageError if the network
    has inserted units that it does not run.

    Args:
        run: what runs the network, if that is not itself: what torch.compile makes of it.
    """
    run = network if run is None else run

    copies, trials = DeviceCopies(precision.device), precision.trials()

    @torch.no_grad()
    def forward(inputs: Tensor) -> Any:
        (inputs,) = copies(inputs)
        with precision.autocast(), trials.of(inputs):
            outputs = run(normalize(inputs, precision.device))
        refuse_idle_units(network)
        return outputs

    return forward
