"""Networks of torchvision by name: "torchvision/resnet50", with a tag ".IMAGENET1K_V1"."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.heads import head_paths, renew_head
from glore_video.models.networks.network_info import NetworkInfo, downloads, unknown_network

_FRAMES = 16  # its references train on clips of 16
_FOLDERS = ("", "video", "segmentation")
# Second classifiers, for training, with which a network returns a tuple.
_AUXILIARY = ("AuxLogits", "aux1", "aux2")


class _Known(NamedTuple):
    folder: str
    bare: str  # the name as torchvision.models.get_model takes it
    weights: Any  # those of the tag, or torchvision's default


def info(name: str, rest: str) -> NetworkInfo:
    """What torchvision's weights say; `rest` is the name without "torchvision/".

    Raises:
        UsageError: torchvision does not know the name or its tag.
    """
    known = _known(name, rest)
    preset = known.weights.transforms()
    size = tuple(int(side) for side in getattr(preset, "crop_size", preset.resize_size))
    frames = (_FRAMES,) if known.folder == "video" else ()
    return NetworkInfo(
        name=name,
        input_shape=(3, *frames, *(size if len(size) == 2 else size * 2)),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
        scaled_side=0 if frames else int(preset.resize_size[0]),
    )


def build(
    name: str, rest: str, num_classes: int | None, pretrained: bool, options: dict[str, Any]
) -> nn.Module:
    """Builds it, for a name that `info` knows. Raises MissingFileError if weights can't be fetched."""
    from torchvision import models

    folder, bare, weights = _known(name, rest)
    published = len(weights.meta["categories"])
    wanted = num_classes or published
    if pretrained:
        with downloads(name):
            model = models.get_model(bare, weights=weights, **options)
    else:
        if folder == "segmentation":
            options = {"weights_backbone": None, **options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of initialisations of its own
            model = models.get_model(bare, weights=None, num_classes=wanted, **options)
    for auxiliary in _AUXILIARY:
        if hasattr(model, auxiliary):
            setattr(model, auxiliary, None)
            model.aux_logits = False
    if pretrained and wanted != published:
        for path in head_paths(model):
            renew_head(model, path, wanted)
    return model


def _known(name: str, rest: str) -> _Known:
    from torchvision import models

    modules = {folder: getattr(models, folder) if folder else models for folder in _FOLDERS}
    folder, _, last = rest.rpartition("/")
    bare, _, tag = last.partition(".")
    if folder not in modules or bare not in models.list_models(module=modules[folder]):
        every = [
            f"{place}/{each}".lstrip("/")
            for place, module in modules.items()
            for each in models.list_models(module=module)
        ]
        raise UsageError(unknown_network(name, "torchvision", rest, every))
    kinds = models.get_model_weights(bare)
    if tag and tag not in kinds.__members__:
        raise UsageError(
            f"{name}: its weights are {', '.join(each.name for each in kinds)}, not {tag!r}"
        )
    return _Known(folder, bare, kinds[tag] if tag else kinds.DEFAULT)
