"""Entries for torch.hub: the networks of the zoo, and the GloRe unit alone.

torch.hub takes every public callable here for an entry, so imports have private names.

    model = torch.hub.load("<path of a checkout>", "glore_slow_r50", source="local")
    model = torch.hub.load("<path of a checkout>", "glore_r50_8x8", source="local", pretrained=True)
    unit = torch.hub.load("<path of a checkout>", "glore_unit", source="local", channels=512)
    model = torch.hub.load("<path of a checkout>", "glore_fcn_resnet50", source="local")
    model = torch.hub.load(
        "<path of a checkout>", "segmentation_network", source="local", backbone="timm/resnet34", form="glore"
    )

Networks take `num_classes=` and `pretrained=` as `glore_video.create_model` does. Those for pictures that
are timm's (`glore_resnet50` and kin, `pip install timm`) also take `units=`, how many stand on Res3 and Res4.
"""

from __future__ import annotations

from collections.abc import Callable as _Callable
from functools import partial as _partial
from typing import Any as _Any

from torch import nn as _nn

from glore_video.models import GloreUnit as _GloreUnit
from glore_video.models import build_segmentation as _build_segmentation
from glore_video.models import create_model as _create_model

dependencies = ["torch", "torchvision", "pytorchvideo", "iopath"]


def _entry(name: str) -> _Callable[..., _nn.Module]:
    entry: _Any = _partial(_create_model, name)
    entry.__doc__ = _create_model.__doc__
    return entry


def _picture_entry(host: str) -> _Callable[..., _nn.Module]:
    def entry(
        units: tuple[int, int] = (2, 3),
        num_classes: int | None = None,
        pretrained: bool | str = False,
        **options: _Any,
    ) -> _nn.Module:
        return _create_model(
            f"timm/{host}",
            num_classes=num_classes,
            pretrained=pretrained,
            glore_units=units,
            glore_options=options,
        )

    entry.__doc__ = f"""timm's {host} with GloRe units, which change nothing until they are trained.

    Args:
        units: how many on Res3 and how many on Res4.
        num_classes: width of the logits; 1000 by default.
        pretrained: True for the host's published weights (units are new), or a file or URL.
        options: of the units, as `glore_video.insert_glore` has them (nodes, states, form, ...).
    """
    return entry


def glore_unit(channels: int, **options: _Any) -> _nn.Module:
    """A GloRe unit; options as `glore_video.models.GloreUnit` has them (nodes, states, ...)."""
    return _GloreUnit(channels, **options)


def segmentation_network(backbone: str = "timm/resnet50", **options: _Any) -> _nn.Module:
    """A network for semantic segmentation: a backbone of timm, dilated, with a head.

    Options are those of `glore_video.models.build_segmentation`: num_classes, form ("fcn", "glore",
    "glore_paddleseg", "nonlocal"), output_stride, auxiliary, pretrained_backbone, ...
    """
    return _build_segmentation(backbone, **options)


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
glore_resnet50 = _picture_entry("resnet50")
glore_resnet101 = _picture_entry("resnet101")
glore_resnet200 = _picture_entry("resnet200")
glore_resnext101_32x4d = _picture_entry("resnext101_32x4d")
glore_seresnet50 = _picture_entry("seresnet50")
glore_dpn98 = _picture_entry("dpn98")
glore_dpn131 = _picture_entry("dpn131")
fcn_resnet50 = _entry("fcn_resnet50")
fcn_resnet101 = _entry("fcn_resnet101")
glore_fcn_resnet50 = _entry("glore_fcn_resnet50")
glore_fcn_resnet101 = _entry("glore_fcn_resnet101")
nonlocal_fcn_resnet50 = _entry("nonlocal_fcn_resnet50")
glore_paddleseg_resnet50 = _entry("glore_paddleseg_resnet50")
