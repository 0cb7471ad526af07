"""Entries for torch.hub: the networks of the zoo, and the GloRe unit alone.

torch.hub takes every public callable here for an entry, so imports have private names.

    model = torch.hub.load("<path of a checkout>", "glore_slow_r50", source="local")
    model = torch.hub.load("<path of a checkout>", "glore_r50_8x8", source="local", pretrained=True)
    unit = torch.hub.load("<path of a checkout>", "glore_unit", source="local", channels=512)
    model = torch.hub.load("<path of a checkout>", "glore_fcn_resnet50", source="local")

Networks take `num_classes=` and `pretrained=` as `glore_video.create_model` does.
"""

from __future__ import annotations

from collections.abc import Callable as _Callable
from functools import partial as _partial
from typing import Any as _Any

from torch import nn as _nn

from glore_video.models import GloreUnit as _GloreUnit
from glore_video.models import create_model as _create_model

dependencies = ["torch", "torchvision", "pytorchvideo", "iopath"]


def _entry(name: str) -> _Callable[..., _nn.Module]:
    entry: _Any = _partial(_create_model, name)
    entry.__doc__ = _create_model.__doc__
    return entry


def glore_unit(channels: int, **options: _Any) -> _nn.Module:
    """A GloRe unit; options as `glore_video.models.GloreUnit` has them (nodes, states, ...)."""
    return _GloreUnit(channels, **options)


preact_r50_8x8 = _entry("preact_r50_8x8")
preact_r101_8x8 = _entry("preact_r101_8x8")
preact_resnet50_2d = _entry("preact_resnet50_2d")
preact_resnet101_2d = _entry("preact_resnet101_2d")
preact_resnet200_2d = _entry("preact_resnet200_2d")
glore_r50_8x8 = _entry("glore_r50_8x8")
glore_r101_8x8 = _entry("glore_r101_8x8")
c2d_r50 = _entry("c2d_r50")
i3d_r50 = _entry("i3d_r50")
slow_r50 = _entry("slow_r50")
slowfast_r50 = _entry("slowfast_r50")
glore_c2d_r50 = _entry("glore_c2d_r50")
glore_i3d_r50 = _entry("glore_i3d_r50")
glore_slow_r50 = _entry("glore_slow_r50")
glore_slowfast_r50 = _entry("glore_slowfast_r50")
nonlocal_c2d_r50 = _entry("nonlocal_c2d_r50")
nonlocal_i3d_r50 = _entry("nonlocal_i3d_r50")
nonlocal_slow_r50 = _entry("nonlocal_slow_r50")
nonlocal_slowfast_r50 = _entry("nonlocal_slowfast_r50")
fcn_resnet50 = _entry("fcn_resnet50")
fcn_resnet101 = _entry("fcn_resnet101")
glore_fcn_resnet50 = _entry("glore_fcn_resnet50")
glore_fcn_resnet101 = _entry("glore_fcn_resnet101")
nonlocal_fcn_resnet50 = _entry("nonlocal_fcn_resnet50")
glore_paddleseg_resnet50 = _entry("glore_paddleseg_resnet50")
