"""Networks that are looked into and left as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glore_video.models.networks.eval_mode import eval_mode

Clip = Tensor | Sequence[Tensor]
"""A network's input: of one video or picture, or SlowFast's two clips."""


def uncompiled(model: nn.Module) -> nn.Module:
    """The network inside torch.compile's wrapper, which hides its layers from hooks."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def running(model: nn.Module) -> Iterator[None]:
    """Eval mode, and tensors that take part in gradients even if the caller is in inference mode."""
    with torch.inference_mode(False), eval_mode(model):
        yield
