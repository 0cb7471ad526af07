"""Segmentation networks by name and by parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from glore_video.errors import UsageError
from glore_video.models.networks.dilated import dilated_backbone
from glore_video.models.networks.fcn import (
    AuxiliaryHead,
    HeadForm,
    SegmentationHead,
    SegmentationNetwork,
)

CITYSCAPES_CLASSES = 19
CITYSCAPES_CROP = (512, 1024)  # height and width that most publish costs and train for


@dataclass(frozen=True)
class _Recipe:
    backbone: str
    form: HeadForm
    auxiliary: bool = False


_MODELS: dict[str, _Recipe] = {
    "fcn_resnet50": _Recipe("timm/resnet50", "fcn"),
    "fcn_resnet101": _Recipe("timm/resnet101", "fcn"),
    "glore_fcn_resnet50": _Recipe("timm/resnet50", "glore"),
    "glore_fcn_resnet101": _Recipe("timm/resnet101", "glore"),
    "nonlocal_fcn_resnet50": _Recipe("timm/resnet50", "nonlocal"),
    "glore_paddleseg_resnet50": _Recipe("timm/resnet50", "glore_paddleseg", auxiliary=True),
}


def list_segmentation_models() -> list[str]:
    """Names of segmentation networks that `create_model` knows."""
    return list(_MODELS)


def is_segmentation_network(name: str) -> bool:
    """Whether a name is that of a whole segmentation network, not of a backbone for one."""
    return name in _MODELS or name.startswith("torchvision/segmentation/")


def backbone_of(name: str) -> str:
    """The network of timm that a segmentation network by name is built on."""
    return _MODELS[name].backbone


def build_segmentation(
    backbone: str = "timm/resnet50",
    *,
    num_classes: int = CITYSCAPES_CLASSES,
    form: HeadForm = "fcn",
    output_stride: int = 8,
    multi_grid: Sequence[int] = (),
    auxiliary: bool = False,
    channels: int = 0,
    nodes: int = 0,
    states: int = 0,
    dropout: float = 0.1,
    pretrained_backbone: bool = False,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> SegmentationNetwork:
    """Builds a network for semantic segmentation: a dilated backbone with a head.

    Args:
        backbone: "timm/resnet50" and the like, or "tiny2d" (`dilated_backbone`).
        num_classes: width of the logits.
        form, channels, nodes, states, dropout: of the head (`SegmentationHead`).
        output_stride: 8 or 16, of the backbone (no effect on tiny2d).
        multi_grid: dilations of the last stage's blocks, (4, 8, 16); empty: the same for all.
        auxiliary: with an auxiliary head, whose logits train mode returns too.
        pretrained_backbone: load the backbone's published weights.
        options: more arguments for the backbone's builder.

    Returns:
        A network that takes (batch, 3, height, width) and returns logits (batch, num_classes, height,
        width). `insert_glore(model, after=["backbone.layer3.5"])` puts units into its backbone.

    Raises:
        UsageError: for an argument out of range, or a backbone that can't be dilated.
        MissingFileError: the backbone's weights can't be downloaded.
    """
    if num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, got {num_classes}")
    body, (before, last) = dilated_backbone(
        backbone,
        output_stride=output_stride,
        multi_grid=multi_grid,
        pretrained=pretrained_backbone,
        options=options,
    )
    # Before the head, which draws its unit last: the forms of one seed start as the same function.
    auxiliary_head = AuxiliaryHead(before, num_classes, dropout=dropout) if auxiliary else None
    head = SegmentationHead(
        last,
        num_classes,
        form=form,
        channels=channels,
        nodes=nodes,
        states=states,
        dropout=dropout,
    )
    return SegmentationNetwork(body, head, auxiliary_head)


def build_named_segmentation(
    name: str, num_classes: int | None = None, *, pretrained_backbone: bool = False
) -> SegmentationNetwork:
    """A segmentation network by one of the names of `list_segmentation_models`.

    Args:
        num_classes: width of the logits; 19, those of Cityscapes, by default.
        pretrained_backbone: load the backbone's published weights.
    """
    recipe = _MODELS[name]
    return build_segmentation(
        recipe.backbone,
        num_classes=CITYSCAPES_CLASSES if num_classes is None else num_classes,
        form=recipe.form,
        auxiliary=recipe.auxiliary,
        pretrained_backbone=pretrained_backbone,
    )
