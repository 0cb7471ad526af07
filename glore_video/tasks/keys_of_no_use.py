"""Keys that mean nothing to a task: set to something, they are refused, or a run would ignore them."""

from __future__ import annotations

from collections.abc import Sequence

from glore_video.config import Config, flatten
from glore_video.errors import UsageError

OF_CLIPS = (
    *("DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.CLIP_SPACING", "DATA.TARGET_FPS"),
    *("DATA.SHORT_VIDEO", "DATA.DECODING_BACKEND", "DATA.DAMAGED_VIDEO", "SYNTHETIC.NUM_FRAMES"),
    *("TEST.NUM_ENSEMBLE_VIEWS", "TEST.VIEW_SPACING"),
    *("SLOWFAST", "RESNET.NUM_BLOCK_TEMP_KERNEL", "GLORE.LOCATION", "NONLOCAL.LOCATION"),
)
"""What tasks of pictures have no use for."""
OF_SEGMENTATION = (
    *("DATA.TRAIN_SCALES", "DATA.TRAIN_CROP_HEIGHT", "HEAD", "LOSS", "TRAIN.SPLIT"),
    *("TEST.WINDOW", "TEST.WINDOW_STRIDE", "TEST.SAVE_PREDICTIONS"),
)
"""What classifying tasks have no use for."""


def refuse_keys(config: Config, keys: Sequence[str], reason: str) -> None:
    """Raises UsageError if one of these keys has another value than its default.

    Args:
        keys: "DATA.NUM_FRAMES", or a whole section, "SLOWFAST".
        reason: why they are of no use, the end of the message.
    """
    defaults = dict(flatten(Config()))
    changed = [
        f"{name} = {value}"
        for name, value in flatten(config)
        if value != defaults[name] and (name in keys or name.partition(".")[0] in keys)
    ]
    if changed:
        raise UsageError(f"{', '.join(changed)}: of no use with TASK = {config.TASK}, {reason}")
