"""The network of a segmentation run: a backbone with a head, or a whole network by name."""

from __future__ import annotations

from torch import nn

from glore_video.config import Config
from glore_video.config.head_keys import Head
from glore_video.errors import UsageError, naming
from glore_video.models import build_segmentation, list_segmentation_models
from glore_video.models.segmentation import is_segmentation_network
from glore_video.models.zoo import PICTURE_ARCHITECTURES


def check_network_keys(config: Config) -> None:
    """Raises UsageError for keys of the network that don't go together."""
    model = config.MODEL
    if is_segmentation_network(model.NAME):
        if config.HEAD != Head():
            raise UsageError(
                f"HEAD is of no use with MODEL.NAME = {model.NAME}, which has a head; timm/<name> is a "
                "backbone for one"
            )
    elif model.NAME and not model.NAME.startswith("timm/"):
        raise UsageError(
            f"MODEL.NAME = {model.NAME}: neither a segmentation network "
            f"({', '.join(list_segmentation_models())}, torchvision/segmentation/<name>) nor a backbone "
            "for one (timm/<name>)"
        )
    elif not model.NAME and model.ARCH not in PICTURE_ARCHITECTURES:
        raise UsageError(
            f"MODEL.ARCH = {model.ARCH} takes clips of videos, not pictures: MODEL.NAME names a "
            f"segmentation network or a backbone for one (timm/resnet50, say), or MODEL.ARCH is one of "
            f"{', '.join(PICTURE_ARCHITECTURES)}"
        )


def build_network(config: Config) -> nn.Module | None:
    """The backbone that MODEL says with the head that HEAD says; None for a whole network by name."""
    model, head = config.MODEL, config.HEAD
    if is_segmentation_network(model.NAME):
        return None
    backbone = model.NAME or model.ARCH
    with naming(f"MODEL.NAME = {model.NAME}" if model.NAME else f"MODEL.ARCH = {model.ARCH}"):
        return build_segmentation(
            backbone,
            num_classes=model.NUM_CLASSES,
            form=head.FORM,
            output_stride=head.OUTPUT_STRIDE,
            multi_grid=head.MULTI_GRID,
            auxiliary=head.AUXILIARY,
            channels=head.CHANNELS,
            nodes=head.NODES,
            states=head.STATES,
            dropout=head.DROPOUT,
            options=model.OPTIONS,
        )
