"""Channels and position axes of what the blocks of a network return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from glore_video.errors import UsageError
from glore_video.models.modes import eval_mode


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


def output_sizes(
    model: nn.Module,
    blocks: Mapping[str, nn.Module],
    example: Any,
    channels: int | None,
    dim: int | None,
) -> dict[str, tuple[int, int]]:
    """Channels and number of position axes of what each block returns.

    Args:
        model: the network.
        blocks: blocks of it by their path.
        example: an input; the network is run on it and the outputs are measured. None: the layers
            of each block tell.
        channels, dim: what is known already.

    Raises:
        ValueError: where they cannot be told.
    """
    if channels and dim:
        return dict.fromkeys(blocks, (channels, dim))
    if example is not None:
        found = _measured(model, blocks, example)
    else:
        found = {path: _output_channels(block, path) for path, block in blocks.items()}
    return {path: (channels or c, dim or d) for path, (c, d) in found.items()}


def _measured(
    model: nn.Module, blocks: Mapping[str, nn.Module], example: Any
) -> dict[str, tuple[int, int]]:
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
        sizes[path] = (output.shape[1], output.dim() - 2)
    return sizes


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
