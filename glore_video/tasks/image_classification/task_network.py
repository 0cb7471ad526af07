"""What networks are shown of pictures: the crops, scaling and colours that they were published with."""

from __future__ import annotations

from typing import Any

from glore_video.config import Config
from glore_video.errors import UsageError
from glore_video.models.named_info import network_info
from glore_video.models.networks.network_info import IMAGENET_MEAN, IMAGENET_STD, NetworkInfo
from glore_video.models.segmentation import backbone_of, list_segmentation_models
from glore_video.tasks.task_base import without_time_limit

# Of most published networks for ImageNet.
_IMAGENET = NetworkInfo(
    name="",
    input_shape=(3, 224, 224),
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    scaled_side=256,
)
# Inception's crop, which nearly all recipes for ImageNet have.
_AREAS, _ASPECTS = (0.08, 1.0), (3 / 4, 4 / 3)


def published_input(config: Config) -> dict[str, Any]:
    """Keys that the configuration leaves unset, with what MODEL.NAME was published with.

    Networks of which nothing is published get what is usual for ImageNet. The sides that pictures
    are scaled to follow the crops, in the published ratio.

    Raises UsageError for a network that takes clips.
    """
    if config.MODEL.NAME in list_segmentation_models():
        raise UsageError(
            f"MODEL.NAME = {config.MODEL.NAME} gives every pixel a class, not a picture; a classifier is "
            f"{backbone_of(config.MODEL.NAME)}, which it is built on"
        )
    info = network_info(config.MODEL.NAME) if config.MODEL.NAME else _IMAGENET
    if info.takes_clips:
        raise UsageError(
            f"MODEL.NAME = {info.name} takes clips of videos, (3, frames, height, width), not "
            "pictures; timm/<name>, torchvision/<name> and preact_resnet50_2d take pictures"
        )
    data, side = config.DATA, info.input_shape[-1]
    unset = [name for name in type(data).model_fields if name not in data.model_fields_set]
    crop = data.TRAIN_CROP_SIZE if "TRAIN_CROP_SIZE" not in unset else side
    test_crop = data.TEST_CROP_SIZE if "TEST_CROP_SIZE" not in unset else crop
    values: dict[str, Any] = {
        "MEAN": info.mean,
        "STD": info.std,
        "INTERPOLATION": info.interpolation,
        "CROP_MODE": info.crop_mode,
        "TRAIN_CROP_SIZE": crop,
        "TEST_CROP_SIZE": test_crop,
        "VAL_SHORT_SIDE": _scaled(crop, side, info.scaled_side),
        "TEST_SHORT_SIDE": _scaled(test_crop, side, info.scaled_side),
    }
    if {"TRAIN_JITTER_SCALES_RELATIVE", "TRAIN_JITTER_ASPECT_RELATIVE"} <= {*unset} and not (
        data.TRAIN_JITTER_ASPECT
    ):
        values |= {"TRAIN_JITTER_SCALES_RELATIVE": _AREAS, "TRAIN_JITTER_ASPECT_RELATIVE": _ASPECTS}
    found = {f"DATA.{name}": value for name, value in values.items() if name in unset}
    if "NUM_SPATIAL_CROPS" not in config.TEST.model_fields_set:
        found["TEST.NUM_SPATIAL_CROPS"] = 1
    if "AA_ON_CROP" not in config.AUG.model_fields_set:
        found["AUG.AA_ON_CROP"] = True
    return found | without_time_limit(config)


def _scaled(crop: int, side: int, scaled_side: int) -> int:
    """The published side for the published crop, in whole numbers the same share for others."""
    return max(crop, crop * scaled_side // side)
