"""Networks for pictures by name, shown pictures as their publishers show them."""

from __future__ import annotations

from typing import Literal, cast

from torch import nn

from glore_video.data.pictures.picture_files import PICTURES
from glore_video.engine.precision import Precision
from glore_video.images.views import PictureViews
from glore_video.models.named_info import network_info
from glore_video.models.networks.heads import num_outputs
from glore_video.models.networks.of_timm import published_class_names
from glore_video.models.networks.preact_resnet2d import PreactResNet2d
from glore_video.models.segmentation import is_segmentation_network
from glore_video.pixels.normalize import Normalize, grey_levels
from glore_video.pixels.transforms import Interpolation
from glore_video.tasks.image_classification.dataset import PictureViewsSet
from glore_video.tasks.image_classification.predictor import PicturePredictor


def takes(name: str) -> bool:
    """Whether a network of this name classifies pictures."""
    return not (is_segmentation_network(name) or network_info(name).takes_clips)


def name_of(network: nn.Module) -> str:
    """A name whose networks are shown what this one is; "" for one of another kind.

    timm's networks know their name; of torchvision's the usual one for ImageNet is taken.
    """
    if isinstance(network, PreactResNet2d):
        return "preact_resnet50_2d"
    module = type(network).__module__
    if module.startswith("timm."):
        known = getattr(network, "pretrained_cfg", None) or {}
        tag = known.get("tag") or ""
        bare = known.get("architecture") or ""
        return f"timm/{bare}{tag and f'.{tag}'}" if bare else ""
    folder = module.removeprefix("torchvision.models.")
    of_pictures = folder != module and not folder.startswith(("video", "segm", "detection"))
    return "torchvision/resnet50.IMAGENET1K_V1" if of_pictures else ""


def published_predictor(
    name: str,
    network: nn.Module,
    *,
    class_names: tuple[str, ...] = (),
    precision: Precision,
    source: str = "",
) -> PicturePredictor:
    """A network of this name in eval mode; classes of 1,000 are ImageNet's by default."""
    info = network_info(name)
    size = info.input_shape[-1]
    if not class_names:
        count = num_outputs(network) or 1000
        class_names = published_class_names(name, count) or PICTURES.usual_names(count)
    return PicturePredictor(
        network=network,
        class_names=class_names,
        views=PictureViewsSet(
            views=PictureViews(
                size=size,
                sides=(max(info.scaled_side, size),),
                crop_mode=cast("Literal['center', 'squash', 'border']", info.crop_mode),
                interpolation=cast("Interpolation", info.interpolation),
                fill=grey_levels(info.mean),
            )
        ),
        normalize=Normalize(mean=info.mean, std=info.std),
        precision=precision,
        source=source,
    )
