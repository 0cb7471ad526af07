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
from glore_video.data.class_lists import load_class_names
from glore_video.data.video.kinetics import kinetics400_class_names
from glore_video.data.video.video_files import VIDEOS
from glore_video.engine.checkpoint import read_notes, resolve_checkpoint, stored_names
from glore_video.engine.precision import Precision
from glore_video.errors import UsageError
from glore_video.models import PreactResNet3d, create_model, is_foreign, load_weights
from glore_video.models.deployment.complexity_table import protocol
from glore_video.models.networks.backbones import SlowFast
from glore_video.models.networks.heads import head_path
from glore_video.models.networks.sources import network_info
from glore_video.models.weights.download import fetch, is_url
from glore_video.pixels.normalize import Normalize
from glore_video.runs.network import (
    build_model,
    build_precision,
    checkpoint_to_test,
)
from glore_video.runs.settling import settled
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.tasks.video_classification.predictor import Predictor
from glore_video.tasks.video_classification.task import VideoClassification
from glore_video.tasks.video_classification.task_data import views_of_tests
from glore_video.video import ClipSampling

# What the published networks were trained with: the paper's, and those of pytorchvideo.
_PAPER = Normalize(mean=(124 / 255, 117 / 255, 104 / 255), std=(1 / (0.0167 * 255),) * 3)
_PYTORCHVIDEO = Normalize(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
_CPU = Precision(device=torch.device("cpu"))


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
) -> Predictor:
    """A network from a configuration, a name of the zoo, or from a run's checkpoint alone.

    Args:
        cfg: YAML; or else
        model: a name of the zoo; or else the checkpoint's own configuration is taken.
        weights: file, URL or a run's OUTPUT_DIR. By default those that the run of `cfg` would test,
            or the published ones of `model`.
        untrained: without `weights`, take random ones.
        device: where the network runs.
        num_clips, num_crops: views of a video, instead of the configuration's.

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
        found = _of_zoo(model, path, notes, untrained=untrained)
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
        found = _of_config(config, path, notes, untrained=untrained)
    changes: dict[str, Any] = {"num_clips": num_clips, "num_crops": num_crops}
    found.network.to(target).eval()
    return replace(
        found,
        views=replace(found.views, **{key: value for key, value in changes.items() if value}),
        precision=replace(found.precision, device=target),
    )


def predictor_of(
    network: nn.Module, *, class_names: Sequence[str] = (), device: str | torch.device = "cpu"
) -> Predictor:
    """A network built by `create_model`, with the clips and colours that its kind was published with.

    It is put in eval mode and on the device.

    Raises:
        ValueError: for a network of another kind, or class names of another number.
    """
    is_net = hasattr(network, "blocks") and type(network).__module__.startswith("pytorchvideo")
    if not isinstance(network, (PreactResNet3d, SlowFast)) and not is_net:
        raise UsageError(
            f"how clips are made for a {type(network).__name__} is not known: give a "
            "glore_video.prediction.Predictor, which says so"
        )
    head = head_path(network)
    classes = len(network.get_submodule(head).weight) if head else 400  # type: ignore[arg-type]
    names = tuple(class_names) or _default_names(classes)
    if len(names) != classes:
        raise UsageError(f"{len(names)} class names for a network of {classes} classes")
    name = "slowfast_r50" if isinstance(network, SlowFast) else "i3d_r50"
    if isinstance(network, PreactResNet3d):
        name = "glore_r50_8x8"
    precision = Precision(device=torch.device(device))
    return _as_published(name, network.to(device).eval(), names, precision)


def _as_published(
    name: str,
    network: nn.Module,
    class_names: tuple[str, ...],
    precision: Precision = _CPU,
    source: str = "",
) -> Predictor:
    frames, crop, views = protocol(name)
    paper = isinstance(network, PreactResNet3d)
    return Predictor(
        network=network,
        class_names=class_names,
        views=EvalViews(
            sampling=ClipSampling(
                num_frames=frames,
                stride=2 if frames == 32 else 8,
                spacing="stride" if paper else "linspace",
                short_video="cycle" if paper else "repeat_last",
            ),
            num_clips=10,
            num_crops=3 if views == 30 else 1,
            short_side=256,
            crop_size=crop,
        ),
        normalize=_PAPER if paper else _PYTORCHVIDEO,
        precision=precision,
        source=source,
    )


def _of_zoo(
    name: str, path: Path | None, notes: Mapping[str, Any], *, untrained: bool
) -> Predictor:
    names = stored_names(notes)
    network = create_model(
        name,
        num_classes=len(names) if names else None,
        pretrained=path if path is not None else not untrained,
    )
    source = str(path) if path is not None else "random" if untrained else "published"
    if is_foreign(name):
        return _foreign(name, network, names, source)
    return _as_published(name, network, names or kinetics400_class_names(), source=source)


def _foreign(name: str, network: nn.Module, names: tuple[str, ...], source: str) -> Predictor:
    """A network of another package, as its publishers show it a video."""
    info = network_info(name)
    if not info.takes_clips:
        raise UsageError(f"{name} takes pictures, not the clips of a video")
    _, frames, side, _ = info.input_shape
    return Predictor(
        network=network,
        class_names=names or kinetics400_class_names(),
        views=EvalViews(
            # Clips of about two seconds, as most of them were trained with.
            sampling=ClipSampling(
                num_frames=frames, stride=max(1, 64 // frames), spacing="linspace"
            ),
            num_clips=10,
            num_crops=1,
            short_side=side * 8 // 7,
            crop_size=side,
        ),
        normalize=Normalize(mean=info.mean, std=info.std),
        source=source,
    )


def _of_config(
    config: Config, path: Path | None, notes: Mapping[str, Any], *, untrained: bool
) -> Predictor:
    network = build_model(config)
    if path is None and not untrained:
        path = _weights_file(checkpoint_to_test(config))
        notes = read_notes(path)
    if path is not None:
        load_weights(network, path)
    names = stored_names(notes)
    if len(names) != config.MODEL.NUM_CLASSES:
        names = load_class_names(
            VIDEOS,
            config.DATA.PATH_TO_DATA_DIR,
            num_classes=config.MODEL.NUM_CLASSES,
            file=config.DATA.CLASS_NAMES_PATH,
            separator=config.DATA.PATH_LABEL_SEPARATOR,
        )
    return Predictor(
        network=network,
        class_names=names,
        views=views_of_tests(config),
        normalize=VideoClassification(config).normalize,
        precision=build_precision(config, torch.device("cpu")),
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


def _default_names(classes: int) -> tuple[str, ...]:
    if classes == 400:
        return kinetics400_class_names()
    return tuple(f"class {label}" for label in range(classes))
