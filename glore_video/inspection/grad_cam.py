"""Grad-CAM, for comparison with projection maps.

Selvaraju et al., "Grad-CAM", ICCV 2017, with frames as one more axis of positions.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.inspection.projection import Clip, choose_class, running, uncompiled
from glore_video.models.networks.module_paths import blocks_for_units, stage_blocks


def grad_cam(model: nn.Module, clip: Clip, *, layer: str = "", target: int | None = None) -> Tensor:
    """Where the features of a layer speak for a class.

    ReLU(Σ over channels c of w_c X_c), w_c being the mean over positions of dlogit/dX_c. The
    network is left as `projection_maps` leaves it.

    Args:
        model: a network.
        clip: its input with a batch axis of one; for SlowFast also a list of two clips.
        layer: path of a module that returns a feature map, channels first; by default the last
            residual block (of SlowFast, of the slow pathway), of a network of another package the
            last block with several positions.
        target: the class; the predicted one by default.

    Returns:
        float32 (t, h, w) on the CPU, (h, w) in 2D networks; at least 0.

    Raises:
        ValueError: for an unknown layer, one that does not run or returns no feature map, or a
            class that the network does not have.
    """
    model = uncompiled(model)
    layer = layer or _last_block(model, clip)
    modules = dict(model.named_modules())
    if layer not in modules:
        raise UsageError(f"the network has no layer {layer!r}")
    found: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor) or output.dim() < 3:
            raise UsageError(f"layer {layer!r} returns no feature map")
        if not output.requires_grad:
            output = output.detach().requires_grad_()
        found.append(output)
        return output.clone()  # what follows may change it in place

    with ExitStack() as stack:
        stack.enter_context(running(model))
        stack.enter_context(torch.enable_grad())
        handle = modules[layer].register_forward_hook(keep)
        stack.callback(handle.remove)
        logits = model(clip)
        if not found:
            raise UsageError(f"layer {layer!r} did not run")
        chosen = choose_class(logits, target)
        features = found[-1]  # (1, channels, *positions)
        (gradient,) = torch.autograd.grad(logits[0, chosen], [features], allow_unused=True)
    if gradient is None:
        return torch.zeros(features.shape[2:])
    weights = gradient.flatten(2).mean(2)[0]  # (channels,)
    summed = torch.tensordot(weights, features[0].detach(), dims=1)  # (*positions,)
    return summed.relu().float().cpu()


def _last_block(model: nn.Module, clip: Clip) -> str:
    """Raises UsageError if the network has none that is known to return a feature map."""
    with suppress(UsageError):
        return stage_blocks(model)[-1][0][-1]
    if isinstance(clip, Tensor):
        for path, (size, positions) in reversed(blocks_for_units(model, clip.shape[1:]).items()):
            if size.layout == "channels_first" and set(positions.split(" x ")) != {"1"}:
                return path
    raise UsageError("no layer is known to return a feature map, channels first; name one (layer)")
