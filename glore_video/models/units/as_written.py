"""Networks, or parts of them, that torch.compile compiled, run as they are written.

Compiled, a module runs no hook on a layer inside that was put there later.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_lock = threading.Lock()
_depth = 0
_stance = ExitStack()


@contextmanager
def as_written() -> Iterator[None]:
    """Within it nothing runs compiled, in any thread, whatever was compiled before."""
    global _depth
    # Whoever has compiled something has imported it, which takes seconds.
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with _lock:
        if not _depth:
            _stance.enter_context(torch.compiler.set_stance("force_eager"))
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _stance.close()
