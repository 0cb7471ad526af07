"""Networks of other packages in a run: MODEL.NAME and what it was published with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from glore_video.config import Config, with_values
from glore_video.errors import UsageError
from glore_video.models import create_model, is_foreign
from glore_video.models.networks.eval_mode import eval_mode
from glore_video.models.networks.sources import build_foreign, network_info


def with_published_input(config: Config) -> Config:
    """The configuration with the clips and colours that MODEL.NAME was published with.

    They fill what the configuration leaves unset; other networks' configurations stay as they are.

    Raises UsageError for a network that takes no clips.
    """
    if not is_foreign(config.MODEL.NAME):
        return config
    info = network_info(config.MODEL.NAME)
    if not info.takes_clips:
        raise UsageError(
            f"MODEL.NAME = {info.name} takes pictures, (3, height, width), not the clips of a video; "
            "torchvision/video/<name> and pytorchvideo/<name> take clips"
        )
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
    return with_values(config, {f"DATA.{name}": published[name] for name in unset})


def build_named(config: Config) -> nn.Module:
    """The network that MODEL.NAME names, without the units of GLORE and NONLOCAL."""
    name, classes = config.MODEL.NAME, config.MODEL.NUM_CLASSES
    if not is_foreign(name):
        return create_model(name, num_classes=classes)
    model, info = build_foreign(name, num_classes=classes)
    _check_clip(config, model, info.input_shape)
    return model


def clip_example(config: Config) -> torch.Tensor:
    """An input of the network, zeros (1, 3, frames, height, width)."""
    size = config.DATA.TRAIN_CROP_SIZE
    return torch.zeros(1, 3, config.DATA.NUM_FRAMES, size, size)


def _check_clip(config: Config, model: nn.Module, published: Sequence[int]) -> None:
    """Raises UsageError if the network can't take the clips of the configuration."""
    clip = clip_example(config)
    try:
        _run_without_numbers(model, clip)
    except (RuntimeError, AssertionError, UsageError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"MODEL.NAME = {config.MODEL.NAME} can't take clips of {tuple(clip.shape[1:])} "
            f"(DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE): {reason}; it was published with "
            f"{tuple(published)}"
        ) from None


def _run_without_numbers(model: nn.Module, clip: torch.Tensor) -> None:
    """A forward pass of shapes alone; of a network that asks for numbers a real one."""
    try:
        with torch.no_grad():
            copy.deepcopy(model).to("meta").eval()(clip.to("meta"))
    except (RuntimeError, NotImplementedError) as error:
        if "meta" not in str(error):
            raise
        with eval_mode(model), torch.no_grad():
            model(clip)
