"""Networks of timm by name: "timm/resnet50", with a tag "timm/resnet50.a1_in1k"."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.network_info import NetworkInfo, downloads, unknown_network


def info(name: str, rest: str) -> NetworkInfo:
    """What timm has on record; `rest` is the name without "timm/".

    Raises:
        UsageError: timm is not installed, or does not know the name or its tag.
    """
    timm = _timm(name)
    if not timm.is_model(rest):
        raise UsageError(unknown_network(name, "timm", rest, timm.list_models()))
    try:
        record = timm.get_pretrained_cfg(rest)
    except RuntimeError:
        bare, _, tag = rest.partition(".")
        tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{bare}.*")]
        named = f"are {', '.join(tags)}" if tags else "have no tags"
        raise UsageError(f"{name}: its weights {named}, not {tag!r}") from None
    if record is None:  # a former name, which stands for another
        known: dict[str, Any]
        try:
            with torch.device("meta"):
                known = timm.create_model(rest).pretrained_cfg
        except RuntimeError:  # vision transformers of timm 1.0.3 read numbers out of tensors
            known = timm.create_model(rest).pretrained_cfg
    else:
        known = record.to_dict()
    return NetworkInfo(
        name=name,
        input_shape=tuple(known["input_size"]),
        mean=tuple(known["mean"]),
        std=tuple(known["std"]),
        interpolation=known["interpolation"],
        # Rounded down, as timm's transforms for evaluation do it.
        scaled_side=math.floor(known["input_size"][-1] / known.get("crop_pct", 1.0)),
        crop_mode=known.get("crop_mode") or "center",
    )


def published_class_names(name: str, num_classes: int) -> tuple[str, ...]:
    """Names by label of the larger sets of ImageNet that timm has weights of; () of all others.

    Of the 1,000 classes that everybody knows it does not speak.
    """
    if not name.startswith("timm/") or num_classes == 1000:
        return ()
    from timm.data import ImageNetInfo
    from timm.data.imagenet_info import infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": num_classes})
    return tuple(ImageNetInfo(subset).label_descriptions()) if subset else ()


def build(
    name: str, rest: str, num_classes: int | None, pretrained: bool, options: dict[str, Any]
) -> nn.Module:
    """Builds it, for a name that `info` knows. See `downloads` for weights that can't be fetched."""
    with downloads(name):
        model = _timm(name).create_model(rest, pretrained=pretrained, **options)
        if num_classes is not None and num_classes != model.num_classes:
            model.reset_classifier(num_classes)
    return model


def _timm(name: str) -> Any:
    try:
        import timm
    except ImportError:
        raise UsageError(f"{name}: timm is not installed; pip install timm") from None
    return timm
