"""Networks of other packages by name: timm/<name>, torchvision/<name>, pytorchvideo/<hub name>.

Those that return one row of logits a sample come as their packages build them. Of pytorchvideo's
hub two things change: heads average over all positions, so that any length and size of clips
works, and they return logits, not probabilities, in eval mode too.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from glore_video.errors import MissingFileError, UsageError
from glore_video.models.networks.backbones import SlowFast
from glore_video.models.networks.classifier import Classifier
from glore_video.models.networks.network_info import (
    KINETICS_MEAN,
    KINETICS_STD,
    NetworkInfo,
)
from glore_video.models.networks.plain_numbers import make_numbers_plain

# Frames and side of the clips that pytorchvideo's hub models were trained with.
_HUB_CLIPS = {
    "c2d_r50": (8, 224),
    "i3d_r50": (8, 224),
    "slow_r50": (8, 224),
    "slowfast_r50": (32, 224),
    "slowfast_r101": (32, 224),
    "slowfast_16x8_r101_50_50": (64, 224),
    "x3d_xs": (4, 160),
    "x3d_s": (13, 160),
    "x3d_m": (16, 224),
    "x3d_l": (16, 312),
    "r2plus1d_r50": (16, 224),
    "csn_r101": (32, 224),
    "mvit_base_16x4": (16, 224),
    "mvit_base_32x3": (32, 224),
}
_HUB_CLASSES = 400
_SLOWFAST_ALPHA = 4  # of all SlowFast networks of the hub
_TORCHVISION_FRAMES = 16  # its references train on clips of 16


def is_foreign(name: str) -> bool:
    """Whether a name is one of another package's network: "timm/resnet50"."""
    return "/" in name


def network_info(name: str) -> NetworkInfo:
    """What is known of another package's network; `name` and errors as `build_foreign` has them."""
    with torch.device("meta"):
        return build_foreign(name)[1]


def build_foreign(
    name: str,
    *,
    num_classes: int | None = None,
    pretrained: bool = False,
    input_shape: Sequence[int] | None = None,
) -> tuple[nn.Module, NetworkInfo]:
    """Builds a network of another package.

    Args:
        name: "timm/resnet50", with a tag "timm/resnet50.a1_in1k"; "torchvision/resnet50",
            "torchvision/video/r3d_18", with a tag "torchvision/resnet50.IMAGENET1K_V1";
            "pytorchvideo/x3d_s".
        num_classes: width of the logits; that of the published network by default. The classifier
            is new where it differs.
        pretrained: load the published weights, those of the tag if there is one.
        input_shape: another one than published, (3, frames, height, width) or (3, height, width).

    Raises:
        UsageError: the name is not known, or the package is not installed.
        MissingFileError: the weights can't be downloaded.
    """
    if num_classes is not None and num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, got {num_classes}")
    package, _, rest = name.partition("/")
    builders: dict[str, Callable[..., tuple[nn.Module, NetworkInfo]]] = {
        "timm": _timm,
        "torchvision": _torchvision,
        "pytorchvideo": _pytorchvideo,
    }
    if package not in builders:
        raise UsageError(
            f"unknown network {name!r}: names begin with {', '.join(f'{p}/' for p in builders)} or "
            "are those of list_models()"
        )
    model, info = builders[package](name, rest, num_classes, pretrained)
    if input_shape is not None:
        info = _with_shape(info, tuple(input_shape))
    for path in info.heads:  # logits in float32 under autocast, as of our own networks
        head = model.get_submodule(path)
        if type(head) is nn.Linear:
            head.__class__ = Classifier
    make_numbers_plain(model)
    return model, info


def _with_shape(info: NetworkInfo, shape: tuple[int, ...]) -> NetworkInfo:
    if len(shape) != len(info.input_shape):
        kind = "clips, (3, frames, height, width)" if info.takes_clips else "pictures"
        raise UsageError(f"{info.name} takes {kind}, not {shape}")
    return NetworkInfo(**{**vars(info), "input_shape": shape})


def _timm(
    name: str, rest: str, num_classes: int | None, pretrained: bool
) -> tuple[nn.Module, NetworkInfo]:
    try:
        import timm
    except ImportError:
        raise UsageError(f"{name}: timm is not installed; pip install timm") from None
    if not timm.is_model(rest):
        raise UsageError(_unknown(name, "timm", rest, timm.list_models()))
    with _downloads(name):
        model: Any = timm.create_model(rest, pretrained=pretrained)
        if num_classes is not None and num_classes != model.num_classes:
            model.reset_classifier(num_classes)
    config: Any = model.pretrained_cfg
    heads = config.get("classifier") or ()
    return model, NetworkInfo(
        name=name,
        input_shape=tuple(config["input_size"]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        heads=(heads,) if isinstance(heads, str) else tuple(heads),
    )


def _torchvision(
    name: str, rest: str, num_classes: int | None, pretrained: bool
) -> tuple[nn.Module, NetworkInfo]:
    from torchvision import models

    folder, _, last = rest.rpartition("/")
    modules = {"": models, "video": models.video}
    bare, _, tag = last.partition(".")
    known = models.list_models(module=modules[folder]) if folder in modules else []
    if bare not in known:
        every = [
            f"{place}/{each}".lstrip("/")
            for place, module in modules.items()
            for each in models.list_models(module=module)
        ]
        raise UsageError(_unknown(name, "torchvision", rest, every))
    kinds = models.get_model_weights(bare)
    if tag and tag not in kinds.__members__:
        raise UsageError(
            f"{name}: its weights are {', '.join(each.name for each in kinds)}, not {tag!r}"
        )
    weights = kinds[tag] if tag else kinds.DEFAULT
    published = len(weights.meta["categories"])
    if pretrained:
        with _downloads(name):
            model = models.get_model(bare, weights=weights)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of initialisations of its own
            model = models.get_model(bare, weights=None, num_classes=num_classes or published)
    for auxiliary in (
        "AuxLogits",
        "aux1",
        "aux2",
    ):  # second classifiers, for training, return tuples
        if hasattr(model, auxiliary):
            setattr(model, auxiliary, None)
            model.aux_logits = False
    made = published if pretrained else num_classes or published
    heads = _layers_of_width(model, made)
    if num_classes is not None and num_classes != made:
        for path in heads:
            _renew(model, path, num_classes)
    preset = weights.transforms()
    crop = tuple(int(side) for side in preset.crop_size)
    size = crop if len(crop) == 2 else crop * 2
    frames = (_TORCHVISION_FRAMES,) if folder == "video" else ()
    return model, NetworkInfo(
        name=name,
        input_shape=(3, *frames, *size),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
        heads=heads,
    )


def _pytorchvideo(
    name: str, rest: str, num_classes: int | None, pretrained: bool
) -> tuple[nn.Module, NetworkInfo]:
    if rest not in _HUB_CLIPS:
        raise UsageError(_unknown(name, "pytorchvideo", rest, list(_HUB_CLIPS)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it scripts activations, which torch calls deprecated
        from pytorchvideo.models import hub
    with _downloads(name):
        model = getattr(hub, rest)(pretrained=pretrained)
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.AvgPool3d):
            _replace(model, path, nn.AdaptiveAvgPool3d(1))
        if hasattr(module, "proj") and isinstance(getattr(module, "activation", None), nn.Softmax):
            module.activation = None
    if rest.startswith("slowfast"):
        model = SlowFast(model.blocks, _SLOWFAST_ALPHA)
    heads = _layers_of_width(model, _HUB_CLASSES)[-1:]
    if num_classes not in (None, _HUB_CLASSES):
        for path in heads:
            _renew(model, path, num_classes)
    frames, side = _HUB_CLIPS[rest]
    return model, NetworkInfo(
        name=name,
        input_shape=(3, frames, side, side),
        mean=KINETICS_MEAN,
        std=KINETICS_STD,
        heads=heads,
    )


def _unknown(name: str, package: str, rest: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(rest, known, n=3, cutoff=0.4)
    hint = f"; nearest: {', '.join(f'{package}/{each}' for each in near)}" if near else ""
    return f"unknown network {name!r}: {package} has no {rest!r}{hint}"


@contextmanager
def _downloads(name: str) -> Iterator[None]:
    """Makes one line of what packages raise where weights can't be fetched."""
    try:
        yield
    except OSError as error:  # urllib's, requests' and huggingface_hub's errors are
        reason = str(error).strip().partition("\n")[0]
        raise MissingFileError(
            f"the weights of {name} can't be downloaded ({reason}); without a network connection "
            "build it without them and load a file"
        ) from None


def _layers_of_width(model: nn.Module, width: int) -> tuple[str, ...]:
    """The last linear layer or convolution if so many numbers come out of it."""
    layers = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, (nn.Linear, _ConvNd))
    ]
    path, last = layers[-1]
    return (path,) if _width(last) == width else ()


def _width(layer: nn.Module) -> int:
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)  # type: ignore[arg-type]


def _renew(model: nn.Module, path: str, width: int) -> None:
    """A new classifier: a layer of the same kind with another number of outputs."""
    old: Any = model.get_submodule(path)
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, width)
    else:
        new = type(old)(old.in_channels, width, kernel_size=old.kernel_size)
    nn.init.normal_(new.weight, std=0.01)  # type: ignore[arg-type]
    nn.init.zeros_(new.bias)  # type: ignore[arg-type]
    _replace(model, path, new)


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
