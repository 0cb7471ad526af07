"""Street scenes whose ground is of two kinds that look alike: a lamp far above says which is the road.

Arithmetic on arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glore_video.data.relations.scene import (
    Floats,
    check_size,
    draw_background,
    opacity,
    stripes,
)
from glore_video.errors import UsageError

CLASSES = ("background", "amber lamp", "blue lamp", "road", "pavement")
BACKGROUND, AMBER, BLUE, ROAD, PAVEMENT = range(len(CLASSES))
LAMPS = {"amber": (0.95, 0.6, 0.1), "blue": (0.15, 0.35, 0.95)}
"""Colours, RGB from 0 to 1. Under an amber lamp the road is what is striped across, else what is not."""
MIN_REACH = 22
"""Least distance, in pixels, between the lamp and the ground."""
PERIODS = (4.5, 7.0)  # pixels
CONTRAST = 0.2


def render_street(
    lamp: str, *, crossed_left: bool, seed: int | Sequence[int], size: int = 64
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Render one scene and its mask.

    The lower part is ground: one side striped along rows, across the street, the other one along
    columns. Everything else (places, sizes, colours, periods) is drawn from `seed` and depends on
    neither argument.

    Args:
        lamp: one of LAMPS. Under "amber" the side that is striped across is ROAD and the other one
            PAVEMENT; under "blue" it is the other way round.
        crossed_left: the left side is the one that is striped across.
        seed: a non-negative integer or a sequence of them, as numpy.random.default_rng takes.
        size: height and width in pixels, even and at least MIN_SIZE.

    Returns:
        Picture uint8 (size, size, 3), RGB, and mask uint8 (size, size), places in CLASSES.

    Raises:
        ValueError: an argument outside of these limits.
    """
    check_size(size)
    if lamp not in LAMPS:
        raise UsageError(f"lamp {lamp!r} is not one of {', '.join(LAMPS)}")
    rng = np.random.default_rng(seed)
    _, picture = draw_background(rng, size)
    mask = np.full((size, size), BACKGROUND, dtype=np.uint8)
    rows, columns = (axis.astype(np.float32) + 0.5 for axis in np.ogrid[:size, :size])

    radius = size * rng.uniform(0.08, 0.1)
    top, left = size * rng.uniform(0.09, 0.1), rng.uniform(radius + 1, size - radius - 1)
    glow = opacity("disc", radius / 0.56, rows - top, columns - left)
    shine = np.clip(np.asarray(LAMPS[lamp]) + rng.uniform(-0.05, 0.05, 3), 0, 1)
    picture += glow[..., None] * (shine.astype(np.float32) - picture)
    mask[glow > 0.5] = AMBER if lamp == "amber" else BLUE

    horizon = max(size * rng.uniform(0.5, 0.65), top + radius + 1 + MIN_REACH)
    edge = size * rng.uniform(0.35, 0.65) + rng.uniform(-0.4, 0.4) * (rows - size * 0.8)
    ground, is_left = rows > horizon, columns < edge
    crossed = is_left == crossed_left
    picture = np.where(ground[..., None], _ground(rng, rows, columns, crossed), picture)
    road = crossed == (lamp == "amber")
    mask = np.where(ground, np.where(road, ROAD, PAVEMENT), mask).astype(np.uint8)
    return np.rint(picture * 255).astype(np.uint8), mask


def _ground(
    rng: np.random.Generator,
    rows: Floats,
    columns: Floats,
    crossed: NDArray[np.bool_],
) -> Floats:
    """One colour, striped along rows where `crossed` and along columns elsewhere: (size, size, 3)."""
    colour = rng.uniform(0.3, 0.7) + rng.uniform(-0.06, 0.06, 3)
    waves = []
    for angle in (np.pi / 2, 0.0):
        period, phase = rng.uniform(*PERIODS), rng.uniform(0, 2 * np.pi)
        waves.append(stripes(rows, columns, angle=angle, period=period, phase=phase))
    wave = np.where(crossed, *waves)
    grain = rng.uniform(-0.02, 0.02, (*wave.shape, 1))
    return np.clip(colour + CONTRAST * wave[..., None] + grain, 0, 1).astype(np.float32)
