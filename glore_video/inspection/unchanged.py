"""Networks that are looked into and left as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glore_video.models.networks.eval_mode import eval_mode
from glore_video.models.units.as_written import as_written

Clip = Tensor | Sequence[Tensor]
"""A network's input: of one video or picture, or SlowFast's two clips."""


def uncompiled(model: nn.Module) -> nn.Module:
    """The network inside torch.compile's wrapper, which hides its layers from hooks."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def running(model: nn.Module) -> Iterator[None]:
    """Eval mode, and tensors that take part in gradients even if the caller is in inference mode.

    Parameters take no part in them: what comes before the layer that is asked about keeps nothing for a
    way back, which of a large picture would be gigabytes. Nothing runs compiled, in which hooks would not run.
    """
    trained = [each for each in model.parameters() if each.requires_grad]
    with torch.inference_mode(False), eval_mode(model), as_written(model):
        try:
            for each in trained:
                each.requires_grad_(False)
            yield
        finally:
            for each in trained:
                each.requires_grad_(True)
