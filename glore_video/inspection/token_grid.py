"""Maps over a transformer's tokens -> maps over the picture that the tokens are patches of."""

from __future__ import annotations

import math

from torch import Tensor, nn

from glore_video.errors import UsageError

_MOST_BEFORE = 16  # class tokens and registers, which stand before the patches


def on_grid(maps: Tensor, size: tuple[int, int], network: nn.Module) -> Tensor:
    """(n, tokens) -> (n, h, w), without the tokens that stand for no patch; (n, h, w) as it is.

    Patches are those of the network's first convolution whose stride is its kernel, or as many rows
    as columns. They come last, row by row, as in timm's and torchvision's vision transformers.

    Args:
        size: height and width of the network's input, pixels.

    Raises UsageError if the tokens are no such grid.
    """
    if maps.dim() == 3:
        return maps
    tokens = maps.shape[-1]
    for rows, columns in _grids(size, tokens, network):
        before = tokens - rows * columns
        if 0 <= before <= _MOST_BEFORE:
            return maps[..., before:].unflatten(-1, (rows, columns))
    raise UsageError(f"{tokens} tokens are no grid over {size[0]} x {size[1]} pixels")


def _grids(size: tuple[int, int], tokens: int, network: nn.Module) -> list[tuple[int, int]]:
    found = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.stride == module.kernel_size != (1, 1):
            found.append((size[0] // module.stride[0], size[1] // module.stride[1]))
            break
    side = math.isqrt(tokens)
    return [*found, (side, side)]
