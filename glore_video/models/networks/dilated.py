"""Dilated backbones: the last two feature maps of a network for pictures, at a stride of 8 or 16.

Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016: strides of the late
stages become dilations of the convolutions after them. The networks are timm's, which knows how each of
its families is dilated; keys and weights are those of the classifier that they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks import of_timm
from glore_video.models.networks.network_info import downloads
from glore_video.models.networks.plain_numbers import make_numbers_plain
from glore_video.models.networks.stages import stage_blocks
from glore_video.models.networks.tiny import TinyBackbone2d

OUTPUT_STRIDES = (8, 16)
TINY_BACKBONE = "tiny2d"


class Backbone(NamedTuple):
    """A network that returns two feature maps, and their channels.

    Shapes: pictures (batch, 3, height, width) -> a list of two maps (batch, channels, height / stride,
    width / stride), rounded up: of the last stage but one (Res4) and of the last one (Res5).
    """

    body: nn.Module
    channels: tuple[int, int]


def dilated_backbone(
    name: str,
    *,
    output_stride: int = 8,
    multi_grid: Sequence[int] = (),
    pretrained: bool = False,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Backbone:
    """Builds a backbone for dense prediction.

    Args:
        name: "timm/resnet50", with a tag of published weights "timm/resnet50.tv_in1k" (torchvision's);
            or "tiny2d", a small one for demonstrations, whose stride is 4 (`TinyBackbone2d`).
        output_stride: pixels from one position of the maps to the next, 8 or 16.
        multi_grid: dilation of each block of the last stage, (4, 8, 16); empty: timm's own, the same
            for all blocks (4 at an output stride of 8).
        pretrained: load the published weights.
        options: more arguments for timm's builder: {"drop_path_rate": 0.05}.

    Returns:
        The network, whose keys are those of the host without its classifier. Where timm takes a list of
        stages apart, `stages_0` stands for `stages.0`.

    Raises:
        UsageError: the name is not known, timm can't dilate it, or it does not take the options.
        MissingFileError: the weights can't be downloaded.
    """
    if name == TINY_BACKBONE:
        return _tiny(multi_grid, pretrained, options)
    package, _, rest = name.partition("/")
    if package != "timm" or not rest:
        raise UsageError(
            f"backbone {name!r}: must be a network of timm, timm/<name>, or {TINY_BACKBONE}; "
            "torchvision's ResNets have a tag there (timm/resnet50.tv_in1k)"
        )
    if output_stride not in OUTPUT_STRIDES:
        raise UsageError(f"output_stride must be 8 or 16, got {output_stride!r}")
    of_timm.info(name, rest)
    settings = {"features_only": True, "output_stride": output_stride, **options}
    probe = _without_numbers(name, rest, settings)  # before weights are fetched
    channels = _channels(name, probe, output_stride)
    _set_dilations(name, probe, multi_grid)
    last = len(probe.feature_info) - 1
    with downloads(name):
        body = _dilated(name, rest, settings, pretrained=pretrained, out_indices=(last - 1, last))
    _set_dilations(name, body, multi_grid)
    make_numbers_plain(body)
    return Backbone(body, channels)


def _tiny(multi_grid: Sequence[int], pretrained: bool, options: Mapping[str, Any]) -> Backbone:
    if multi_grid or pretrained:
        what = f"multi_grid = {tuple(multi_grid)}" if multi_grid else "pretrained"
        raise UsageError(
            f"{what}: {TINY_BACKBONE} has no dilations and no published weights; timm/<name> has"
        )
    try:
        body = TinyBackbone2d(**options)
    except TypeError:
        raise UsageError(
            f"{TINY_BACKBONE} takes no options but widths, got {dict(options)}"
        ) from None
    first, last = body.channels
    return Backbone(body, (first, last))


def _dilated(name: str, rest: str, settings: Mapping[str, Any], **more: Any) -> Any:
    """Raises UsageError in one line of whatever timm's families raise of an output stride."""
    import timm

    try:
        return timm.create_model(rest, **settings, **more)
    except (OSError, UsageError):
        raise
    except Exception as error:
        if _asks_for_numbers(error):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        others = sorted(settings.keys() - {"features_only", "output_stride"})
        tried = f" with the options {', '.join(others)}" if others else ""
        raise UsageError(
            f"{name} can't be dilated to an output stride of {settings['output_stride']}{tried} "
            f"({reason}): ResNets, RegNets, ConvNeXts and EfficientNets can, among others"
        ) from None


def _without_numbers(name: str, rest: str, settings: Mapping[str, Any]) -> Any:
    """The network on the meta device; with numbers where timm 1.0.3 reads some while it builds."""
    try:
        with torch.device("meta"):
            return _dilated(name, rest, settings)
    except NotImplementedError:
        return _dilated(name, rest, settings)


def _asks_for_numbers(error: Exception) -> bool:
    """Whether something read numbers out of a tensor on the meta device."""
    return isinstance(error, NotImplementedError) and "meta tensor" in str(error)


def _channels(name: str, probe: Any, output_stride: int) -> tuple[int, int]:
    """Of the last two maps; raises UsageError where they are not as dense as wanted."""
    strides, channels = probe.feature_info.reduction(), probe.feature_info.channels()
    if len(strides) < 2 or strides[-1] != output_stride:
        raise UsageError(
            f"{name} can't be dilated: its last map has a stride of {strides[-1]}, not {output_stride}"
        )
    if any(module._forward_hooks for module in probe.modules()):
        raise UsageError(
            f"{name} can't be a backbone: timm reads its maps by hooks, which copies of it would lose"
        )
    return channels[-2], channels[-1]


def _set_dilations(name: str, body: nn.Module, multi_grid: Sequence[int]) -> None:
    """Dilates the convolutions of each block of the last stage by its number."""
    if not multi_grid:
        return
    blocks = stage_blocks(body)[-1][0]
    if len(multi_grid) != len(blocks) or min(multi_grid) < 1:
        raise UsageError(
            f"multi_grid must be {len(blocks)} dilations, one a block of the last stage of {name}, "
            f"got {tuple(multi_grid)}"
        )
    for path, dilation in zip(blocks, multi_grid, strict=True):
        for layer in body.get_submodule(path).modules():
            if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1:
                layer.dilation = (dilation, dilation)
                layer.padding = tuple(dilation * (size // 2) for size in layer.kernel_size)
