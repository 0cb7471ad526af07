"""Less memory in training: the inside of residual blocks is computed again for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """The second computation must not count a batch twice in running statistics."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    kept = [
        (module, module.momentum, module.num_batches_tracked)
        for module in norms
        if module.training and module.num_batches_tracked is not None
    ]
    counts = [count.clone() for _, _, count in kept]
    for module, _, _ in kept:
        module.momentum = 0.0
    try:
        yield
    finally:
        for (module, momentum, count), before in zip(kept, counts, strict=True):
            module.momentum = momentum
            count.copy_(before)


def _contexts(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Of the first computation and of the second."""
    return nullcontext(), _statistics_kept(block)


def _checkpointed(block: nn.Module, *args: Any, **options: Any) -> Any:
    if torch.compiler.is_compiling():
        # A compiled backward pass computes values again, and changes no statistics.
        return checkpoint(block, *args, use_reentrant=False, **options)
    return checkpoint(
        block, *args, use_reentrant=False, context_fn=partial(_contexts, block), **options
    )


def checkpoint_activations(model: nn.Module, blocks: Sequence[str]) -> nn.Module:
    """Wrap the named blocks, in place. Names of parameters and buffers in state_dict stay.

    Only what goes into a block is kept for the backward pass. Outputs, gradients and running
    statistics are those of the model as it was.
    """
    for path in blocks:
        parent_path, _, name = path.rpartition(".")
        parent = model.get_submodule(parent_path)
        block = parent.get_submodule(name)
        wrapped = checkpoint_wrapper(block, checkpoint_fn=_checkpointed)
        parent.register_module(name, wrapped)
    return model
