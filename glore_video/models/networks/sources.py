"""Networks of other packages by name: timm/<name>, torchvision/<name>, pytorchvideo/<hub name>.

They come as their packages build them, but for classifiers, which give logits in float32 under
autocast too, and for what `of_pytorchvideo` changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any

from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks import of_pytorchvideo, of_timm, of_torchvision
from glore_video.models.networks.classifier import Classifier
from glore_video.models.networks.heads import head_paths
from glore_video.models.networks.network_info import NetworkInfo
from glore_video.models.networks.plain_numbers import make_numbers_plain

_PACKAGES: dict[str, ModuleType] = {
    "timm": of_timm,
    "torchvision": of_torchvision,
    "pytorchvideo": of_pytorchvideo,
}


class UnfitOptionsError(UsageError):
    """Options that the builder of another package's network does not take."""


def is_foreign(name: str) -> bool:
    """Whether a name is one of another package's network: "timm/resnet50"."""
    return "/" in name


def names_a_package(name: str) -> bool:
    """Whether a name begins with a package that networks come from: "timm/...", not "outputs/..."."""
    return name.partition("/")[0] in _PACKAGES and is_foreign(name)


def network_info(name: str) -> NetworkInfo:
    """What is known of another package's network; `name` and errors as `build_foreign` has them.

    It is read from the package's records; the network is not built.
    """
    package, rest = _split(name)
    return package.info(name, rest)


def build_foreign(
    name: str,
    *,
    num_classes: int | None = None,
    pretrained: bool = False,
    input_shape: Sequence[int] | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[nn.Module, NetworkInfo]:
    """Builds a network of another package.

    Args:
        name: "timm/resnet50", with a tag "timm/resnet50.a1_in1k"; "torchvision/resnet50",
            "torchvision/video/r3d_18", "torchvision/segmentation/fcn_resnet50", with a tag
            "torchvision/resnet50.IMAGENET1K_V1"; "pytorchvideo/x3d_s".
        num_classes: width of the logits; that of the published network by default. The classifier
            is new where it differs.
        pretrained: load the published weights, those of the tag if there is one.
        input_shape: another one than published, (3, frames, height, width) or (3, height, width).
        options: more arguments for the builder of its package: {"drop_path_rate": 0.05}.

    Raises:
        UsageError: the name is not known, or the package is not installed; an UnfitOptionsError if
            its builder does not take the options.
        MissingFileError: the weights can't be downloaded.
    """
    if num_classes is not None and num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, got {num_classes}")
    package, rest = _split(name)
    info = package.info(name, rest)
    model = _built(package, name, rest, num_classes, pretrained, options)
    if input_shape is not None:
        info = _with_shape(info, tuple(input_shape))
    for path in head_paths(model):  # logits in float32 under autocast, as of our own networks
        head = model.get_submodule(path)
        if type(head) is nn.Linear:
            head.__class__ = Classifier
    make_numbers_plain(model)
    return model, info


def _built(
    package: ModuleType,
    name: str,
    rest: str,
    num_classes: int | None,
    pretrained: bool,
    options: Mapping[str, Any],
) -> nn.Module:
    try:
        model: nn.Module = package.build(name, rest, num_classes, pretrained, dict(options))
    except UsageError:
        raise
    except Exception as error:  # builders raise what their layers raise of odd values
        if not options:
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UnfitOptionsError(
            f"{name} does not take the options {dict(options)}: {reason}"
        ) from None
    return model


def _split(name: str) -> tuple[ModuleType, str]:
    package, _, rest = name.partition("/")
    if package not in _PACKAGES:
        raise UsageError(
            f"unknown network {name!r}: names begin with {', '.join(f'{p}/' for p in _PACKAGES)} or "
            "are those of list_models()"
        )
    return _PACKAGES[package], rest


def _with_shape(info: NetworkInfo, shape: tuple[int, ...]) -> NetworkInfo:
    if len(shape) != len(info.input_shape):
        kind = "clips, (3, frames, height, width)" if info.takes_clips else "pictures"
        raise UsageError(f"{info.name} takes {kind}, not {shape}")
    return NetworkInfo(**{**vars(info), "input_shape": shape})
