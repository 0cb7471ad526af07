"""A unit's nodes as a graph: each shows its map, edges what nodes take from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from glore_video.inspection.overlay import diverging
from glore_video.reports.drawing import FAINT, INK, PALE, PAPER, canvas, scaled, text

_HEAD, _FOOT = 60, 20
_MOST_WIDTH = 12.0  # of an edge, pixels


def draw_node_graph(
    adjacency: Tensor,
    nodes: Sequence[int],
    tiles: np.ndarray,
    *,
    title: str,
    tile: int = 128,
) -> Image.Image:
    """Nodes on a circle, the first one on top, clockwise.

    From node j to node i goes an edge as wide as |A[i, j]|, orange where it is positive and blue where
    it is negative; it is dark where it ends, at i, which takes from j.

    Args:
        adjacency: I + A of the unit, (nodes, nodes).
        nodes: those to draw.
        tiles: uint8 (len(nodes), height, width, 3), what stands for each.
        tile: greater side of a tile, pixels.
    """
    count = len(nodes)
    height, width = tiles.shape[1:3]
    scale = tile / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    radius = 0.0 if count == 1 else max(1.1 * tile, 0.75 * tile / math.sin(math.pi / count))
    side = round(2 * radius + tile + 60)
    image, draw = canvas(max(side, 420), _HEAD + side + _FOOT)
    text(draw, (16, 11), title, size=18, width=image.width - 32)
    taken = adjacency.numpy()[np.ix_(nodes, nodes)] * (1 - np.eye(count))
    most = float(np.abs(taken).max()) or 1.0
    words = f"edges: A of these nodes, the widest {most:.2g}; dark where a node takes"
    text(draw, (16, 36), words, size=13, fill=PALE, width=image.width - 32)
    centre = (image.width / 2, _HEAD + side / 2)
    places = [
        (
            centre[0] + radius * math.sin(2 * math.pi * n / count),
            centre[1] - radius * math.cos(2 * math.pi * n / count),
        )
        for n in range(count)
    ]
    edges = [(i, j) for i in range(count) for j in range(count) if i != j]
    for i, j in sorted(edges, key=lambda edge: abs(taken[edge])):
        _edge(draw, places[j], places[i], taken[i, j] / most, 0.5 * tile)
    for n, (x, y) in enumerate(places):
        left, top = round(x - w / 2), round(y - h / 2)
        draw.rectangle((left - 3, top - 3, left + w + 2, top + h + 2), outline=PALE, fill=FAINT)
        image.paste(scaled(tiles[n], w, h), (left, top))
        draw.rectangle((x - 30, top + h + 5, x + 30, top + h + 20), fill=PAPER)
        text(draw, (x, top + h + 5), f"node {nodes[n]}", size=13, fill=INK, anchor="ma")
    return image


def _edge(
    draw: ImageDraw.ImageDraw,
    start: tuple[float, float],
    end: tuple[float, float],
    weight: float,
    gap: float,
) -> None:
    """A line that darkens, `gap` pixels from both ends; that of the other direction runs beside it."""
    width = _MOST_WIDTH * abs(weight)
    if width < 0.5:
        return
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    across, down = (x1 - x0) / length, (y1 - y0) / length
    x0, y0 = x0 + gap * across, y0 + gap * down
    x1, y1 = x1 - gap * across, y1 - gap * down
    right = (-down * 0.6 * _MOST_WIDTH, across * 0.6 * _MOST_WIDTH)
    steps = 24
    for step in range(steps):
        shade = math.copysign(0.15 + 0.85 * (step + 1) / steps, weight)
        red, green, blue = diverging(np.array(shade)).tolist()
        ends = [
            (x0 + (x1 - x0) * part + right[0], y0 + (y1 - y0) * part + right[1])
            for part in (step / steps, (step + 1) / steps)
        ]
        draw.line(ends, fill=(red, green, blue), width=max(1, round(width)))
