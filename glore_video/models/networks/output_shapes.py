"""Channels, position axes and layout of what the blocks of a network return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from glore_video.errors import UsageError
from glore_video.models.networks.eval_mode import eval_mode
from glore_video.models.units.unit_options import Layout


def feature_map(block: nn.Module, output: Any) -> Any:
    """The output of a block, which has to be one tensor of floating point, or torch.fx's for one."""
    if isinstance(output, Tensor) and output.is_quantized:
        raise UsageError(
            f"a unit was inserted after a {type(block).__name__} that returns quantised numbers "
            f"({output.dtype}); units need floating point: insert them before quantising, or after "
            "a block that returns floating point"
        )
    if not isinstance(output, (Tensor, fx.Proxy)):
        raise UsageError(
            f"a unit was inserted after a {type(block).__name__}, which returns "
            f"{type(output).__name__}, not one feature map; name a block inside it"
        )
    return output


class OutputSize(NamedTuple):
    """What a block returns: channels, position axes, and which axis is that of the channels."""

    channels: int
    dim: int
    layout: Layout = "channels_first"


def output_sizes(
    model: nn.Module,
    blocks: Mapping[str, nn.Module],
    example: Any,
    channels: int | None,
    dim: int | None,
    layout: Layout | Literal["auto"] = "auto",
) -> dict[str, OutputSize]:
    """Channels, number of position axes and layout of what each block returns.

    Args:
        model: the network.
        blocks: blocks of it by their path.
        example: an input; the network is run on it and the outputs are measured. None: the layers
            of each block tell.
        channels, dim, layout: what is known already; without an example, "auto" is channels first.

    Raises:
        UsageError: where they cannot be told.
    """
    known: Layout = "channels_first" if layout == "auto" else layout
    if channels and dim:
        return dict.fromkeys(blocks, OutputSize(channels, dim, known))
    if example is not None:
        found = _measured(model, blocks, example, layout)
    else:
        found = {
            path: OutputSize(*_output_channels(block, path), known)
            for path, block in blocks.items()
        }
    return {
        path: OutputSize(channels or size.channels, dim or size.dim, size.layout)
        for path, size in found.items()
    }


def _measured(
    model: nn.Module,
    blocks: Mapping[str, nn.Module],
    example: Any,
    layout: Layout | Literal["auto"],
) -> dict[str, OutputSize]:
    """What blocks return when the network runs on an example."""
    outputs: dict[nn.Module, Any] = {}

    def note(block: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        outputs[block] = output

    hooks = [block.register_forward_hook(note) for block in blocks.values()]
    try:
        with eval_mode(model), torch.no_grad():
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    sizes = {}
    for path, block in blocks.items():
        if block not in outputs:
            raise UsageError(f"the network does not run {path!r} on the example")
        output = feature_map(block, outputs[block])
        if not 3 <= output.dim() <= 5:
            raise UsageError(
                f"{path!r} returns shape {tuple(output.shape)} on the example, a unit needs "
                f"(batch, channels, 1 to 3 position axes)"
            )
        found = _layout(model, path, block, output) if layout == "auto" else layout
        axis = 1 if found == "channels_first" else -1
        sizes[path] = OutputSize(output.shape[axis], output.dim() - 2, found)
    return sizes


def output_layout(path: str, block: nn.Module, output: Tensor) -> Layout:
    """Which axis of a block's output is that of the channels, by the widths of its layers.

    Layers count that work on maps with as many position axes: a 2D convolution says nothing of
    tokens. Convolutions and norms of batches and groups keep channels first; linear layers and layer
    norms work on the last axis, but may be transposed around.

    Raises UsageError where the shape does not tell.
    """
    every = _layers(block)
    if not every:
        return "channels_first"
    fitting = _layers(block, output.dim() - 2)
    last = (fitting or every)[-1]
    first, end = output.shape[1] == _width(last), output.shape[-1] == _width(last)
    if fitting and isinstance(last, (_ConvNd, _NormBase, nn.GroupNorm)):
        # Neither axis fits where the outputs of branches are joined.
        if first or not end:
            return "channels_first"
        if isinstance(last, nn.BatchNorm1d):  # of (batch * tokens, channels)
            return "channels_last"
    elif end and not first:
        return "channels_last"
    elif first and not end:
        linear = (nn.Linear, nn.LayerNorm)
        others = {_width(layer) for layer in fitting if isinstance(layer, linear)}
        if output.shape[-1] not in others:
            return "channels_first"
    raise _unclear(path, block, output)


def _layout(model: nn.Module, path: str, block: nn.Module, output: Tensor) -> Layout:
    """`output_layout`; of a block without layers (an activation, a pool) by the layers around it."""
    if _layers(block):
        return output_layout(path, block, output)
    around = path
    while around:
        around = around.rpartition(".")[0]
        layers = _layers(model.get_submodule(around), output.dim() - 2)
        on_last_axis = [isinstance(layer, (nn.Linear, nn.LayerNorm)) for layer in layers]
        fits = [
            output.shape[-1 if last else 1] == _width(layer)
            for layer, last in zip(layers, on_last_axis, strict=True)
        ]
        kinds = {last for last, fit in zip(on_last_axis, fits, strict=True) if fit}
        if kinds == {True}:
            return "channels_last"
        if kinds == {False} or (not around and not kinds and False in on_last_axis):
            return "channels_first"
        if kinds:
            break
    raise _unclear(path, block, output)


def _layers(block: nn.Module, axes: int | None = None) -> list[nn.Module]:
    """Layers with a width of their own; those that work on maps with so many position axes."""
    return [
        module
        for module in block.modules()
        if _width(module) is not None and (axes is None or _position_axes(module) in (None, axes))
    ]


def _unclear(path: str, block: nn.Module, output: Tensor) -> UsageError:
    return UsageError(
        f"{path!r} ({type(block).__name__}) returns shape {tuple(output.shape)}, of which it can't be "
        "told whether the channels come first or last: give layout"
    )


def _position_axes(layer: nn.Module) -> int | None:
    """Position axes of the maps that a layer works on; None for any number."""
    if isinstance(layer, _ConvNd):
        return len(layer.kernel_size)
    for axes, kind in enumerate((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), 1):
        if isinstance(layer, kind):
            return axes
    return None


def _width(layer: nn.Module) -> int | None:
    """Channels that come out of a layer; None for layers without a width of their own."""
    if isinstance(layer, _ConvNd):
        return layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features
    if isinstance(layer, _NormBase):
        return layer.num_features
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels
    if isinstance(layer, nn.LayerNorm):
        return layer.normalized_shape[-1]
    return None


def _output_channels(block: nn.Module, path: str) -> tuple[int, int]:
    """Channels and position axes of what a block returns, judged by its layers."""
    modules = list(block.modules())
    convolutions = [m for m in modules if isinstance(m, _ConvNd)]
    if convolutions:
        return convolutions[-1].out_channels, len(convolutions[-1].kernel_size)
    norms = [m for m in modules if isinstance(m, _NormBase)]
    dims = {"1d": 1, "2d": 2, "3d": 3}
    if norms and type(norms[-1]).__name__[-2:] in dims:
        return norms[-1].num_features, dims[type(norms[-1]).__name__[-2:]]
    raise UsageError(
        f"cannot tell the channels and dimension of the output of {path!r} "
        f"({type(block).__name__}); give an example, or channels and dim"
    )
