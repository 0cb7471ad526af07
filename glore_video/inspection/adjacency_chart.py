"""A unit's adjacency matrix as a heat map."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from glore_video.inspection.overlay import diverging
from glore_video.reports.drawing import PALE, canvas, scaled, text
from glore_video.reports.ticks import nice_step


def draw_adjacency(matrix: Tensor, *, title: str, size: int = 512) -> Image.Image:
    """I + A as a heat map; row i: what node i takes from the others.

    Colours reach their end at the 99th percentile of the entries off the diagonal, beside which the
    diagonal, near 1, would leave nothing to see.
    """
    values = matrix.numpy()
    nodes = len(values)
    off = np.abs(values[~np.eye(nodes, dtype=bool)])
    limit = float(np.percentile(off, 99)) if off.size else 1.0
    limit = limit or 1.0
    cell = max(1, round(size / nodes))
    side, left, top = nodes * cell, 62, 74
    image, draw = canvas(left + side + 96, top + side + 46)
    text(draw, (16, 11), title, size=18, width=image.width - 32)
    text(
        draw,
        (16, 36),
        f"I + A: row takes from column; colours end at {limit:.2g}",
        size=13,
        fill=PALE,
    )
    image.paste(scaled(diverging(values / limit), side, side, smooth=False), (left, top))
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=PALE)
    every = max(1, int(nice_step(max(1.0, nodes / 8))))
    for node in range(0, nodes, every):
        middle = (node + 0.5) * cell
        text(draw, (left - 7, top + middle), str(node), size=12, fill=PALE, anchor="rm")
        text(draw, (left + middle, top + side + 6), str(node), size=12, fill=PALE, anchor="ma")
    text(draw, (left + side / 2, top + side + 26), "node", size=12, fill=PALE, anchor="ma")
    ramp = np.repeat(np.linspace(1, -1, 120)[:, None], 14, axis=1)
    image.paste(Image.fromarray(diverging(ramp)), (left + side + 20, top))
    for share, value in ((0, limit), (60, 0.0), (119, -limit)):
        text(draw, (left + side + 40, top + share), f"{value:.2g}", size=12, fill=PALE, anchor="lm")
    return image
