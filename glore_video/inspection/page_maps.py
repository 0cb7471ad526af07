"""Maps of units for a page that draws them itself: few positions, a byte each."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glore_video.inspection.look import Look
from glore_video.inspection.overlay import relative

_SIDE = 28


def units_for_page(seen: Look, count: int) -> list[dict[str, Any]]:
    """Each unit's `count` most important nodes, as plain values for JSON.

    Returns:
        A unit each: path, shape (t, h, w) of a map, nodes (node and importance), and maps, for each
        input of the Look the nodes' maps from -127 to 127 (see `relative`) as int8 in base 64.
    """
    units = []
    for path in seen.inputs[0]:
        nodes = seen.ranking(path)[:count]
        scores = seen.importance(path)
        maps = [_small(each[path].maps[nodes]) for each in seen.inputs]
        units.append(
            {
                "path": path,
                "shape": list(maps[0].shape[1:]),
                "nodes": [{"node": node, "importance": float(scores[node])} for node in nodes],
                "maps": [_encoded(each) for each in maps],
            }
        )
    return units


def _small(maps: Tensor) -> Tensor:
    """(nodes, t, h, w) in -1..1, of at most 28 x 28 positions."""
    shown = relative(maps if maps.dim() == 4 else maps[:, None])
    height, width = (min(each, _SIDE) for each in shown.shape[2:])
    if (height, width) == tuple(shown.shape[2:]):
        return shown
    return torch.nn.functional.adaptive_avg_pool2d(shown, (height, width))


def _encoded(maps: Tensor) -> str:
    """-1..1 as int8 from -127 to 127, in base 64."""
    return base64.b64encode((maps.numpy() * 127).round().astype(np.int8).tobytes()).decode()
