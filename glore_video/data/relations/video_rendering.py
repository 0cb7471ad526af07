"""Videos of two far-apart objects, each moving left, right, up or down: arithmetic on arrays only.

What leaves an object's cell on one side comes in on the other, so at every frame its position is
uniform over the cell whatever its direction, and no single frame says anything about any motion.
"""

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

STEPS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}  # (rows, columns)
DIRECTIONS = tuple(STEPS)
SPEEDS = (1.5, 3.0)  # pixels a frame


def render_video(
    directions: tuple[str, str],
    *,
    seed: int | Sequence[int],
    num_frames: int = 12,
    size: int = 64,
) -> NDArray[np.uint8]:
    """Render one video of two objects that move in the given directions.

    Everything else (background, places, sizes, shapes, colours, speeds) is drawn from `seed` and
    does not depend on the directions.

    Args:
        directions: of the two objects, each one of DIRECTIONS.
        seed: a non-negative integer or a sequence of them, as numpy.random.default_rng takes.
        num_frames: at least 1.
        size: height and width in pixels, even and at least MIN_SIZE.

    Returns:
        uint8 (num_frames, size, size, 3), RGB.

    Raises:
        ValueError: an argument outside of these limits.
    """
    check_shape(num_frames=num_frames, size=size)
    for direction in directions:
        if direction not in STEPS:
            raise UsageError(f"direction {direction!r} is not one of {', '.join(DIRECTIONS)}")
    rng = np.random.default_rng(seed)
    base, background = draw_background(rng, size)
    video = np.repeat(background[None], num_frames, axis=0)  # (frames, size, size, 3)
    for direction, (top, left, side) in zip(directions, place_cells(rng, size), strict=True):
        cell = video[:, top : top + side, left : left + side]
        colour, alpha = moving_object(rng, STEPS[direction], num_frames, side, base)
        cell += alpha[..., None] * (colour - cell)
    return np.rint(video * 255).astype(np.uint8)


def check_shape(*, num_frames: int, size: int) -> None:
    """Raise a ValueError unless videos of this many frames and pixels can be rendered."""
    if num_frames < 1:
        raise UsageError(f"num_frames is {num_frames}, but must be at least 1")
    check_size(size)


def moving_object(
    rng: np.random.Generator, step: tuple[int, int], num_frames: int, cell: int, base: Floats
) -> tuple[Floats, Floats]:
    """Draw one object and move it by `step` through its cell.

    Returns its colour, (frames, cell, cell, 3), or 1 for axes along which it does not change, and
    its opacity, (frames, cell, cell); both within 0 to 1.
    """
    side = draw_side(rng, cell)
    speed = rng.uniform(*SPEEDS)
    start = rng.uniform(0, cell, 2)
    shape = rng.choice(SHAPES)
    textured = rng.random() < 0.75
    colour = draw_colour(rng, base)
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    period = side * rng.uniform(0.4, 0.8)

    centres = start + speed * np.arange(num_frames)[:, None] * np.array(step)  # (frames, 2)
    pixels = np.arange(cell) + 0.5
    offsets = (pixels - centres[..., None] + cell / 2) % cell - cell / 2  # (frames, 2, cell)
    rows = offsets[:, 0, :, None].astype(np.float32)
    columns = offsets[:, 1, None, :].astype(np.float32)
    wave = stripes(rows, columns, angle=angle, period=period, phase=phase)
    shade = 0.3 * wave[..., None] if textured else np.zeros((1, 1, 1, 1))
    return np.clip(colour + shade, 0, 1).astype(np.float32), opacity(shape, side, rows, columns)
