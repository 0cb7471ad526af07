"""Networks whose parts `module.compile()` compiled, run as they are written.

Compiled, a module runs no hook that was put on a layer inside it later, and torch.jit does not trace it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def as_written(network: nn.Module) -> Iterator[None]:
    """Within it no module of the network runs compiled; what was compiled stays, and runs again after it."""
    compiled = {
        module: module._compiled_call_impl
        for module in network.modules()
        if module._compiled_call_impl is not None
    }
    for module in compiled:
        module._compiled_call_impl = None
    try:
        yield
    finally:
        for module, call in compiled.items():
            module._compiled_call_impl = call
