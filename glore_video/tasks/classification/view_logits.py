"""All views of a sample through a classifying network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


class Views(Protocol):
    """The views of one sample."""

    def batches(self, size: int) -> Iterable[Tensor]:
        """uint8 (at most size, 3, *positions), all views in order."""

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Views:
        """The same views, cut on the device."""


@dataclass(frozen=True)
class TensorViews:
    """Views that lie in one tensor, uint8 (views, 3, *positions)."""

    views: Tensor

    def batches(self, size: int) -> Iterable[Tensor]:
        return self.views.split(size)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> TensorViews:
        return TensorViews(self.views.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TensorViews:
        return TensorViews(self.views.pin_memory())


def view_logits(forward: Callable[[Tensor], Any], views: Views, batch_size: int) -> Tensor:
    """Logits of all views, float32 (views, classes), on the CPU."""
    return torch.cat([forward(batch).float() for batch in views.batches(batch_size)]).cpu()
