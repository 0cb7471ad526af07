"""Grad-CAM, for comparison with projection maps.

Selvaraju et al., "Grad-CAM", ICCV 2017, with frames as one more axis of positions, and with any
function of the outputs in place of a class: of a class's pixels it is Seg-Grad-CAM (Vinogradova et
al., AAAI 2020).
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any, Literal

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.inspection.targets import Target, score
from glore_video.inspection.unchanged import Clip, running, uncompiled
from glore_video.models.networks.module_paths import blocks_for_units
from glore_video.models.networks.output_shapes import output_layout
from glore_video.models.networks.stages import stage_blocks
from glore_video.models.units.unit_options import Layout


def grad_cam(
    model: nn.Module,
    clip: Clip,
    *,
    layer: str = "",
    target: Target = None,
    layout: Layout | Literal["auto"] = "auto",
) -> Tensor:
    """Where the features of a layer speak for a class.

    ReLU(Σ over channels c of w_c X_c), w_c being the mean over positions of ds/dX_c, s the score.
    The network is left as `projection_maps` leaves it.

    Args:
        model: a network.
        clip: its input with a batch axis of one; for SlowFast also a list of two clips.
        layer: path of a module that returns a feature map; by default the last residual block (of
            SlowFast, of the slow pathway), of a network of another package the last block with
            several positions, of tokens the one before, since a head may read its own token alone.
        target: the class whose logit is the score, the predicted one by default; or a function of
            the network's outputs that returns the score, a tensor of one number. For the class 3 of
            the pixels `where` of a segmentation: `lambda out: out["out"][0, 3][where].sum()`.
        layout: of the layer's output, "channels_first" or "channels_last" (tokens); "auto": told by
            the width of its last layer.

    Returns:
        float32 (t, h, w) on the CPU, (h, w) in 2D networks, (tokens,) of tokens; at least 0.

    Raises:
        UsageError: for an unknown layer, one that does not run or returns no feature map, a class
            that the network does not have, or outputs that are not finite.
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
        outputs = model(clip)
        if not found:
            raise UsageError(f"layer {layer!r} did not run")
        features = found[-1]
        (gradient,) = torch.autograd.grad(score(outputs, target), [features], allow_unused=True)
    if layout == "auto":
        layout = output_layout(layer, modules[layer], features)
    axis = 1 if layout == "channels_first" else -1
    features = features.detach().movedim(axis, 1)  # (1, channels, *positions)
    if gradient is None:
        return torch.zeros(features.shape[2:])
    weights = gradient.movedim(axis, 1).flatten(2).mean(2)[0]  # (channels,)
    summed = torch.tensordot(weights, features[0], dims=1)  # (*positions,)
    return summed.relu().float().cpu()


def _last_block(model: nn.Module, clip: Clip) -> str:
    """Raises UsageError if the network has none that is known to return a feature map."""
    with suppress(UsageError):
        return stage_blocks(model)[-1][0][-1]
    skipped = ""
    if isinstance(clip, Tensor):
        for path, (size, positions) in reversed(blocks_for_units(model, clip.shape[1:]).items()):
            if set(positions.split(" x ")) == {"1"} or skipped.startswith(f"{path}."):
                continue
            if skipped or size.layout == "channels_first" or size.dim > 1:
                return path
            skipped = path
    raise UsageError("no layer is known to return a feature map; name one (layer)")
