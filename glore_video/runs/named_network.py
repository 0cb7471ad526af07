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
from glore_video.models.named_info import network_info
from glore_video.models.networks.eval_mode import eval_mode
from glore_video.models.networks.sources import UnfitOptionsError, build_foreign
from glore_video.tasks import task_of


def with_published_input(config: Config) -> Config:
    """The configuration with the inputs and colours that MODEL.NAME was published with.

    They fill what the configuration leaves unset; other networks' configurations stay as they are.

    Raises UsageError for keys that mean nothing to the task, and for a network that does not take
    what the task shows it.
    """
    task = task_of(config)
    task.check_keys()
    values = {**task.published_input(), **_published_units(config)}
    return with_values(config, values) if values else config


def _published_units(config: Config) -> dict[str, Any]:
    """Keys of GLORE that are unset, as the publishers of MODEL.NAME have their units."""
    name = config.MODEL.NAME
    if not name or network_info(name).glore_form == "post":
        return {}
    published = {"FORM": network_info(name).glore_form, "NORMALIZE": False}
    if config.GLORE.FORM == "post" and "FORM" in config.GLORE.model_fields_set:
        return {}
    unset = published.keys() - config.GLORE.model_fields_set
    return {f"GLORE.{key}": published[key] for key in unset}


def build_named(config: Config) -> nn.Module:
    """The network that MODEL.NAME names, without the units of GLORE and NONLOCAL."""
    name, classes = config.MODEL.NAME, config.MODEL.NUM_CLASSES
    if not is_foreign(name):
        return create_model(name, num_classes=classes)
    try:
        model, info = build_foreign(name, num_classes=classes, options=config.MODEL.OPTIONS)
    except UnfitOptionsError as error:
        raise UsageError(f"MODEL.OPTIONS: {error}") from None
    _check_input(config, model, info.input_shape)
    return model


def input_example(config: Config) -> torch.Tensor:
    """An input of the network, zeros (1, *input_shape)."""
    return torch.zeros(1, *task_of(config).input_shape)


def _check_input(config: Config, model: nn.Module, published: Sequence[int]) -> None:
    """Raises UsageError if the network can't take the inputs of the configuration."""
    task, example = task_of(config), input_example(config)
    try:
        _run_without_numbers(model, example)
    except (RuntimeError, AssertionError, UsageError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"MODEL.NAME = {config.MODEL.NAME} can't take {task.words.inputs} of "
            f"{tuple(example.shape[1:])} ({task.input_keys}): {reason}; it was published with "
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
