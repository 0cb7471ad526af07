"""Where a network looked in a picture, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from glore_video.inspection.node_graph import draw_node_graph
from glore_video.inspection.overlay import blend, from_zero, relative, upsample
from glore_video.inspection.picture_look import PictureLook
from glore_video.inspection.sheet import SheetRow, draw_grid


def sheet_of(
    look: PictureLook,
    unit: str,
    nodes: Sequence[int],
    class_names: Sequence[str],
    *,
    more: Sequence[SheetRow] = (),
) -> Image.Image:
    """What the network saw, the same under each node's map, and under Grad-CAM.

    An empty `unit`, of a network without any, leaves Grad-CAM alone.

    Args:
        more: tiles that follow the first.
    """
    height, width = look.view.shape[:2]
    tiles = [SheetRow("what it sees", ""), *more]
    subtitle = "Grad-CAM"
    if unit:
        seen = look.units[unit]
        weights = upsample(relative(seen.maps[list(nodes)]), 1, height, width)
        for node, each in zip(nodes, weights.numpy(), strict=True):
            tiles.append(SheetRow(f"node {node}", f"{seen.importance[node]:+.2g}", each))
        count, *size = seen.maps.shape
        subtitle = (
            f"projection maps of {unit}, {count} nodes, {' x '.join(map(str, size))}; orange above, "
            "blue below the node's median weight"
        )
    if look.cam is not None:
        heat = upsample(from_zero(look.cam)[None], 1, height, width)
        tiles.append(SheetRow("Grad-CAM", "", heat[0].numpy()))
    return draw_grid(
        look.view,
        tiles,
        title=f"{Path(look.path).name}: {class_names[look.target]} {100 * look.probability:.1f}%",
        subtitle=subtitle,
    )


def graph_of(look: PictureLook, unit: str, nodes: Sequence[int]) -> Image.Image:
    """The nodes as a graph, each with its map over the picture."""
    height, width = look.view.shape[:2]
    seen = look.units[unit]
    weights = upsample(relative(seen.maps[list(nodes)]), 1, height, width).numpy()
    tiles = np.concatenate([blend(look.view[None], each) for each in weights])
    return draw_node_graph(seen.adjacency, nodes, tiles, title=f"{Path(look.path).name}: {unit}")
