"""2D weights for 3D networks (Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017).

A 3D kernel gets the 2D one at each of its frames, divided by their number. On a video of one
repeated frame the network then computes what the 2D one does with that frame, wherever no
temporal kernel reaches past the ends of the clip, where the padding is zero.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def inflate(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inflates 2D convolution kernels to the shapes that a 3D network has.

    Args:
        state: weights under the network's own keys; kernels (out, in, height, width).
        own: the network's state dict; kernels (out, in, frames, height, width).

    Returns:
        The inflated kernels alone, key -> (out, in, frames, height, width).
    """
    inflated = {}
    for key, kernel in state.items():
        shape = own[key].shape if key in own else ()
        if kernel.dim() == 4 and len(shape) == 5 and kernel.shape == (*shape[:2], *shape[3:]):
            inflated[key] = (kernel / shape[2]).unsqueeze(2).repeat(1, 1, shape[2], 1, 1)
    return inflated
