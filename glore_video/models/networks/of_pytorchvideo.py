"""Networks of pytorchvideo's hub by name: "pytorchvideo/x3d_s".

Two things change: heads average over all positions, so that any length and size of clips works, and
they return logits, not probabilities, in eval mode too.
"""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.backbones import SlowFast
from glore_video.models.networks.heads import head_paths, renew_head
from glore_video.models.networks.network_info import (
    KINETICS_MEAN,
    KINETICS_STD,
    NetworkInfo,
    downloads,
    unknown_network,
)

# Frames and side of the clips that the hub's networks were trained with.
_CLIPS = {
    "c2d_r50": (8, 224),
    "i3d_r50": (8, 224),
    "slow_r50": (8, 224),
    "slowfast_r50": (32, 224),
    "slowfast_r101": (32, 224),
    "slowfast_16x8_r101_50_50": (64, 224),
    "x3d_xs": (4, 160),
    "x3d_s": (13, 160),
    "x3d_m": (16, 224),
    "x3d_l": (16, 312),
    "r2plus1d_r50": (16, 224),
    "csn_r101": (32, 224),
    "mvit_base_16x4": (16, 224),
    "mvit_base_32x3": (32, 224),
}
_CLASSES = 400
_SLOWFAST_ALPHA = 4  # of all SlowFast networks of the hub


def info(name: str, rest: str) -> NetworkInfo:
    """How the hub's networks were trained; `rest` is the name without "pytorchvideo/".

    Raises:
        UsageError: the name is not known.
    """
    if rest not in _CLIPS:
        raise UsageError(unknown_network(name, "pytorchvideo", rest, list(_CLIPS)))
    frames, side = _CLIPS[rest]
    return NetworkInfo(
        name=name,
        input_shape=(3, frames, side, side),
        mean=KINETICS_MEAN,
        std=KINETICS_STD,
    )


def build(
    name: str, rest: str, num_classes: int | None, pretrained: bool, options: dict[str, Any]
) -> nn.Module:
    """Builds it, for a name that `info` knows. Raises MissingFileError if weights can't be fetched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it scripts activations, which torch calls deprecated
        from pytorchvideo.models import hub
    with downloads(name):
        model = getattr(hub, rest)(pretrained=pretrained, **options)
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.AvgPool3d):
            model.set_submodule(path, nn.AdaptiveAvgPool3d(1))
        if hasattr(module, "proj") and isinstance(getattr(module, "activation", None), nn.Softmax):
            module.activation = None
    if rest.startswith("slowfast"):
        model = SlowFast(model.blocks, _SLOWFAST_ALPHA)
    if num_classes not in (None, _CLASSES):
        for path in head_paths(model):
            renew_head(model, path, num_classes)
    return model
