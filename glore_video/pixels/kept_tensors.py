"""Small tensors of constants that are made once for a device: a copy to a GPU waits for all that it has to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def kept_on_device(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator: what a function makes of its arguments, a device among them, is kept for the next call.

    Not where tensors are fake, shapes without numbers: what is made there belongs there, and what was
    made elsewhere is refused there.

    Args:
        maxsize: how many results are kept; those that are asked for least go first.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        kept = lru_cache(maxsize)(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if _tensors_are_fake():
                return function(*args, **kwargs)
            with torch.inference_mode(mode=False):
                return kept(*args, **kwargs)  # type: ignore[arg-type]

        return call

    return decorate


def _tensors_are_fake() -> bool:
    """Within torch's FakeTensorMode."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None
