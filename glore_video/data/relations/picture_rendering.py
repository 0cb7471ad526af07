"""Pictures of two far-apart objects, each striped in one of four directions: arithmetic on arrays only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glore_video.data.relations.scene import (
    SHAPES,
    Floats,
    check_size,
    draw_background,
    draw_colour,
    draw_side,
    opacity,
    place_cells,
    stripes,
)
from glore_video.errors import UsageError

# How the stripes run -> the angle that they are crossed at: 0 along columns, a quarter turn along rows.
ANGLES = {"horizontal": np.pi / 2, "vertical": 0.0, "rising": np.pi / 4, "falling": -np.pi / 4}
STRIPES = tuple(ANGLES)
PERIODS = (4.5, 7.0)  # pixels
CONTRAST = 0.3


def render_picture(
    kinds: tuple[str, str], *, seed: int | Sequence[int], size: int = 64
) -> NDArray[np.uint8]:
    """Render one picture of two objects with stripes in the given directions.

    Everything else (background, places, sizes, shapes, colours, periods) is drawn from `seed` and
    does not depend on the directions.

    Args:
        kinds: of the two objects, each one of STRIPES; rising stripes rise from left to right.
        seed: a non-negative integer or a sequence of them, as numpy.random.default_rng takes.
        size: height and width in pixels, even and at least MIN_SIZE.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        ValueError: an argument outside of these limits.
    """
    check_size(size)
    for kind in kinds:
        if kind not in ANGLES:
            raise UsageError(f"stripes {kind!r} are not one of {', '.join(STRIPES)}")
    rng = np.random.default_rng(seed)
    base, picture = draw_background(rng, size)
    for kind, (top, left, side) in zip(kinds, place_cells(rng, size), strict=True):
        cell = picture[top : top + side, left : left + side]
        colour, alpha = striped_object(rng, ANGLES[kind], side, base)
        cell += alpha[..., None] * (colour - cell)
    return np.rint(picture * 255).astype(np.uint8)


def striped_object(
    rng: np.random.Generator, angle: float, cell: int, base: Floats
) -> tuple[Floats, Floats]:
    """Draw one object, whole within its cell.

    Returns its colour, (cell, cell, 3), and its opacity, (cell, cell); both within 0 to 1.
    """
    side = draw_side(rng, cell)
    shape = rng.choice(SHAPES)
    margin = side * {"square": 0.5, "disc": 0.56, "diamond": 0.65}[shape]
    centre = rng.uniform(margin, cell - margin, 2)
    colour = draw_colour(rng, base)
    phase = rng.uniform(0, 2 * np.pi)
    period = rng.uniform(*PERIODS)
    offsets = (np.arange(cell) + 0.5 - centre[:, None]).astype(np.float32)  # (2, cell)
    rows, columns = offsets[0][:, None], offsets[1][None]
    wave = stripes(rows, columns, angle=angle, period=period, phase=phase)
    shaded = np.clip(colour + CONTRAST * wave[..., None], 0, 1).astype(np.float32)
    return shaded, opacity(shape, side, rows, columns)
