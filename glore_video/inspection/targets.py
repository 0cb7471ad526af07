"""What gradients are taken of: a class's logit, or any function of a network's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glore_video.errors import UsageError

Target = int | Callable[[Any], Tensor] | None
"""A class; a function from the outputs of the network to a tensor of one number; None: the predicted
class."""


def choose_class(logits: Any, target: int | None) -> int:
    """The class that is asked about: `target`, checked, or the predicted one."""
    if not isinstance(logits, Tensor):
        raise UsageError(
            f"the network must return (1, classes), got {type(logits).__name__}: give a function of "
            "it as target"
        )
    if logits.dim() != 2 or len(logits) != 1:
        raise UsageError(f"the network must return (1, classes), got shape {tuple(logits.shape)}")
    if not bool(torch.isfinite(logits).all()):
        raise UsageError("the network's logits are not finite (NaN or infinity)")
    if target is None:
        return int(logits[0].argmax())  # of equal ones the first
    if not 0 <= target < logits.shape[1]:
        raise UsageError(f"target must be a class in 0..{logits.shape[1] - 1}, got {target}")
    return target


def score(outputs: Any, target: Target) -> Tensor:
    """The scalar of `target`.

    Raises:
        UsageError: for a class that is not there, outputs that are not logits of one input without
            a function, a function that returns something else, or numbers that are not finite.
    """
    if target is None or isinstance(target, int):
        return outputs[0, choose_class(outputs, target)]
    value = target(outputs)
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise UsageError(f"target must return a tensor of one number, got {shape}")
    if not bool(torch.isfinite(value).all()):
        raise UsageError("target returns a number that is not finite (NaN or infinity)")
    return value.reshape(())
