"""Convolution autotuning: cuDNN times its algorithms for the shapes that come again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# A trial takes seconds a shape: they pay for a training crop, not for pictures of all sizes.
_SHAPES = 8


class ConvolutionTrials:
    """torch.backends.cudnn.benchmark for the first shapes that come, and for no others.

    A batch of one of them finds cuDNN's choice in torch's cache; later shapes take what cuDNN's rules
    say, at once. Nothing is tried where deterministic algorithms are asked for, since another process
    may choose another algorithm.

    Args:
        enabled: False leaves torch's switch alone.
        shapes: that are tried at most.
    """

    def __init__(self, *, enabled: bool, shapes: int = _SHAPES) -> None:
        self._enabled = enabled
        self._most = shapes
        self._tried: set[tuple[int, ...]] = set()

    @contextmanager
    def of(self, inputs: Tensor) -> Iterator[None]:
        """Within it the network computes with inputs of this shape, backward pass included."""
        if not self._enabled or _deterministic():
            yield
            return
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = self._tries(tuple(inputs.shape))
        try:
            yield
        finally:
            torch.backends.cudnn.benchmark = before

    def _tries(self, shape: tuple[int, ...]) -> bool:
        if len(self._tried) < self._most:
            self._tried.add(shape)
        return shape in self._tried


def _deterministic() -> bool:
    return torch.backends.cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
