"""Predictors from configurations, names of networks and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from glore_video.config import Config, load_config, with_values
from glore_video.engine.checkpoint import read_notes, resolve_checkpoint, stored_names
from glore_video.engine.precision import Precision, set_fp32_precision
from glore_video.errors import UsageError
from glore_video.models import create_model, list_segmentation_models, load_weights
from glore_video.models.networks.heads import num_outputs
from glore_video.models.weights.download import fetch, is_url
from glore_video.runs.network import (
    build_model,
    build_precision,
    checkpoint_to_test,
)
from glore_video.runs.settling import settled
from glore_video.tasks import published_name, published_predictor, task_of
from glore_video.tasks.predictor import Predictor


class UnknownNetworkError(UsageError):
    """Weights that do not tell of which network they are. `problem` is the text without advice."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}; give cfg, a configuration, or model, a name of the zoo, as well"
        )
        self.problem = problem


def load_predictor(
    *,
    cfg: str | Path = "",
    model: str = "",
    weights: str | Path = "",
    untrained: bool = False,
    device: str | torch.device = "cpu",
    num_clips: int = 0,
    num_crops: int = 0,
    flips: bool | None = None,
) -> Predictor:
    """A network from a configuration, a name of the zoo, or from a run's checkpoint alone.

    Args:
        cfg: YAML; or else
        model: a name of the zoo; or else the checkpoint's own configuration is taken.
        weights: file, URL or a run's OUTPUT_DIR. By default those that the run of `cfg` would test,
            or the published ones of `model`.
        untrained: without `weights`, take random ones.
        device: where the network runs.
        num_clips, num_crops, flips: views of a file, instead of the configuration's; clips are of
            videos, mirror images of pictures.

    Raises:
        ValueError, FileNotFoundError: as those who read configurations and weights do, or if none of
            the three is given.
    """
    if cfg and model:
        raise UsageError("a configuration and a name of the zoo exclude each other")
    path = _weights_file(weights) if weights else None
    notes = read_notes(path) if path is not None else {}
    target = torch.device(device)
    if model:
        found = _of_zoo(model, path, notes, untrained=untrained, device=target)
    else:
        if cfg:
            config = load_config(cfg)
            if not config.MODEL.NUM_CLASSES and (names := stored_names(notes)):
                config = with_values(config, {"MODEL.NUM_CLASSES": len(names)})
            config = settled(config)
        elif not weights:
            raise UsageError("name a configuration, a network of the zoo, or weights of a run")
        elif not isinstance(notes.get("config"), Mapping):
            raise UnknownNetworkError(f"{weights}: no checkpoint of a run (no configuration in it)")
        else:
            config = _stored_config(notes["config"], str(path))
        found = _of_config(config, path, notes, untrained=untrained, device=target)
    return found.with_views(num_clips=num_clips, num_crops=num_crops, flips=flips)


def predictor_of(
    network: nn.Module, *, class_names: Sequence[str] = (), device: str | torch.device = "cpu"
) -> Predictor:
    """A network built by `create_model`, with the views and colours that its kind was published with.

    It is put in eval mode and on the device.

    Raises:
        ValueError: for a network of another kind, or class names of another number.
    """
    name = published_name(network)
    if not name:
        raise UsageError(
            f"how clips are made for a {type(network).__name__} is not known, nor views of pictures: "
            "give a VideoPredictor or PicturePredictor of glore_video.prediction, which says so"
        )
    precision = Precision(device=torch.device(device))
    found = published_predictor(name, network.to(device).eval(), precision=precision)
    classes = num_outputs(network) or len(found.class_names)
    names = tuple(class_names) or found.kind.usual_names(classes)
    if len(names) != classes:
        raise UsageError(f"{len(names)} class names for a network of {classes} classes")
    return published_predictor(name, network, class_names=names, precision=precision)


def _of_zoo(
    name: str,
    path: Path | None,
    notes: Mapping[str, Any],
    *,
    untrained: bool,
    device: torch.device,
) -> Predictor:
    names = stored_names(notes)
    if path is None and not untrained and name in list_segmentation_models():
        raise UsageError(
            f"{name} has no published weights but its backbone's: name those of a run (weights), or take "
            "random ones (untrained)"
        )
    network = create_model(
        name,
        num_classes=len(names) if names else None,
        pretrained=path if path is not None else not untrained,
    )
    return published_predictor(
        name,
        network.to(device).eval(),
        class_names=names,
        precision=Precision(device=device),
        source=str(path) if path is not None else "random" if untrained else "published",
    )


def _of_config(
    config: Config,
    path: Path | None,
    notes: Mapping[str, Any],
    *,
    untrained: bool,
    device: torch.device,
) -> Predictor:
    config = with_values(
        config, {"NUM_GPUS": int(device.type == "cuda")}
    )  # wherever it was trained
    network = build_model(config)
    if path is None and not untrained:
        path = _weights_file(checkpoint_to_test(config))
        notes = read_notes(path)
    if path is not None:
        load_weights(network, path)
    set_fp32_precision(config.TRAIN.FP32_PRECISION)
    # Trials of cuDNN's take longer than a few files.
    precision = replace(build_precision(config, device), cudnn_benchmark=False)
    return task_of(config).predictor(
        network.to(device).eval(),
        class_names=stored_names(notes),
        precision=precision,
        source="random" if path is None else str(path),
    )


def _weights_file(weights: str | Path) -> Path:
    found = resolve_checkpoint(weights, key="weights")
    return fetch(str(found)) if is_url(str(found)) else Path(found)


def _stored_config(tree: Mapping[str, Any], source: str) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UnknownNetworkError(
            f"{source}: its configuration is of another version ({key}: {first['msg']})"
        ) from None
