"""What networks of other packages are shown: the clips and colours that they were published with."""

from __future__ import annotations

from typing import Any

from glore_video.config import Config
from glore_video.errors import UsageError
from glore_video.models import is_foreign
from glore_video.models.named_info import network_info


def published_input(config: Config) -> dict[str, Any]:
    """Keys of DATA that the configuration leaves unset, with what MODEL.NAME was published with.

    None for this package's own networks.

    Raises UsageError for a network that takes no clips.
    """
    if not config.MODEL.NAME:
        return {}
    info = network_info(config.MODEL.NAME)
    if not info.takes_clips:
        raise UsageError(
            f"MODEL.NAME = {info.name} takes pictures, (3, height, width), not the clips of a video; "
            "torchvision/video/<name> and pytorchvideo/<name> take clips"
        )
    if not is_foreign(config.MODEL.NAME):
        return {}
    _, frames, side, _ = info.input_shape
    published: dict[str, Any] = {"MEAN": info.mean, "STD": info.std, "NUM_FRAMES": frames}
    if not {"TRAIN_CROP_SIZE", "TRAIN_JITTER_SCALES"} & config.DATA.model_fields_set:
        published |= {
            "TRAIN_CROP_SIZE": side,
            "TRAIN_JITTER_SCALES": (side * 8 // 7, side * 10 // 7),
        }
    if "TEST_SHORT_SIDE" not in config.DATA.model_fields_set:
        published["TEST_CROP_SIZE"] = side
    unset = published.keys() - config.DATA.model_fields_set
    return {f"DATA.{name}": published[name] for name in unset}
