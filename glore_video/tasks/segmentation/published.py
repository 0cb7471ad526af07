"""What networks are shown of pictures that they segment: colours and interpolation."""

from __future__ import annotations

from typing import Any

from glore_video.config import Config
from glore_video.errors import UsageError
from glore_video.models import is_foreign
from glore_video.models.networks.network_info import IMAGENET_MEAN, IMAGENET_STD
from glore_video.models.networks.sources import network_info
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
