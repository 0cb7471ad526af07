"""What networks are shown of pictures that they segment: of a run, and of networks by name."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from glore_video.config import Config
from glore_video.data.masks.known_classes import SCENES, classes_named
from glore_video.engine.precision import Precision
from glore_video.errors import UsageError
from glore_video.models import is_foreign, named_info
from glore_video.models.networks.fcn import SegmentationNetwork
from glore_video.models.networks.heads import num_outputs
from glore_video.models.networks.network_info import IMAGENET_MEAN, IMAGENET_STD
from glore_video.models.networks.sources import network_info
from glore_video.models.segmentation import is_segmentation_network
from glore_video.pixels.normalize import Normalize
from glore_video.pixels.transforms import Interpolation
from glore_video.tasks.segmentation.predictor import ScenePredictor
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.task_base import without_time_limit

_CROP = 512  # pixels, of most recipes


def published_input(config: Config) -> dict[str, Any]:
    """Keys that the configuration leaves unset, with what MODEL.NAME was published with.

    Raises UsageError for a network that takes clips.
    """
    values: dict[str, Any] = {
        "MEAN": IMAGENET_MEAN,
        "STD": IMAGENET_STD,
        "INTERPOLATION": "bilinear",
        "TRAIN_CROP_SIZE": _CROP,
    }
    if is_foreign(config.MODEL.NAME):
        info = network_info(config.MODEL.NAME)
        if info.takes_clips:
            raise UsageError(
                f"MODEL.NAME = {info.name} takes clips of videos, (3, frames, height, width), not "
                "pictures"
            )
        values |= {"MEAN": info.mean, "STD": info.std, "INTERPOLATION": info.interpolation}
    unset = values.keys() - config.DATA.model_fields_set
    found = {f"DATA.{name}": values[name] for name in sorted(unset)}
    return found | without_time_limit(config)


def takes(name: str) -> bool:
    """Whether a network of this name segments pictures."""
    return is_segmentation_network(name)


def name_of(network: nn.Module) -> str:
    """A name whose networks are shown what this one is; "" for one of another kind."""
    if isinstance(network, SegmentationNetwork):
        return "fcn_resnet50"
    of_torchvision = type(network).__module__.startswith("torchvision.models.segmentation.")
    return "torchvision/segmentation/fcn_resnet50" if of_torchvision else ""


def published_predictor(
    name: str,
    network: nn.Module,
    *,
    class_names: tuple[str, ...] = (),
    precision: Precision,
    source: str = "",
) -> ScenePredictor:
    """A network of this name in eval mode; classes of 21 are Pascal VOC's, of 19 Cityscapes' by default.

    torchvision's are shown pictures whose shorter side is 520 pixels, as their weights say; own networks
    pictures as they are.
    """
    info = named_info.network_info(name)
    count = num_outputs(network)
    assert count is not None
    classes = classes_named(class_names or SCENES.usual_names(count), name)
    height, width = info.input_shape[1:]
    return ScenePredictor(
        network=network,
        class_names=classes.names,
        classes=classes,
        inference=SceneInference(
            short_side=info.scaled_side,
            interpolation=cast("Interpolation", info.interpolation),
        ),
        normalize=Normalize(mean=info.mean, std=info.std),
        precision=precision,
        source=source,
        example_size=(height, width),
    )
