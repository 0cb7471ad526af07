"""Copies to a GPU beside what it computes: on a stream of their own."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def copying_stream(device: torch.device) -> torch.cuda.Stream:
    """The one of this process: torch keeps memory for each stream that was ever copied on."""
    return torch.cuda.Stream(device)


class DeviceCopies:
    """Tensors of the host on a device.

    On a GPU they are copied on another stream than the one that computes: a batch that is read while
    the step before it still runs is there when its turn comes, and not only then on its way. What
    computes waits for the copy on the device; the host waits for nothing. Batches are neither read
    ahead nor put in another order, so that runs resume as ever. On a CPU nothing happens.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = copying_stream(device) if device.type == "cuda" else None

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """They on the device, in their order in memory, ready for the current stream."""
        if self._stream is None:
            return tuple(tensor.to(self._device) for tensor in tensors)
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            copies = tuple(tensor.to(self._device, non_blocking=True) for tensor in tensors)
        current.wait_stream(self._stream)
        for given, copy in zip(tensors, copies, strict=True):
            if copy is not given:
                # Its memory is the copying stream's: not to be given away before it was computed with.
                copy.record_stream(current)
        return copies
