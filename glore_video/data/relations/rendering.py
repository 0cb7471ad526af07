"""Pictures of two far-apart objects, each moving left, right, up or down: arithmetic on arrays only.

Each object lives in an invisible square cell of its own. What leaves the cell on one side comes in
on the other, so at every frame its position is uniform over the cell whatever its direction, and
no single frame says anything about any motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glore_video.errors import UsageError

Floats: TypeAlias = NDArray[np.float32]

STEPS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}  # (rows, columns)
DIRECTIONS = tuple(STEPS)
MIN_GAP = 16
"""Least distance, in pixels, between the cells of the two objects, along rows or along columns."""
MIN_SIZE = 48
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
    base = rng.uniform(0.42, 0.58, 3).astype(np.float32)
    background = np.clip(base + _background_texture(rng, size), 0, 1)
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
    if size < MIN_SIZE or size % 2:
        raise UsageError(f"size is {size}, but must be even and at least {MIN_SIZE}")


def place_cells(
    rng: np.random.Generator, size: int
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Draw the two cells: (top, left, side) in pixels, at least MIN_GAP apart on one axis."""
    largest = (size - MIN_GAP) * 7 // 16
    first, second = (int(side) for side in rng.integers(largest * 4 // 5, largest + 1, 2))
    slack = size - first - second - MIN_GAP
    start = int(rng.integers(0, slack + 1))
    gap = MIN_GAP + int(rng.integers(0, slack - start + 1))
    along = (start, start + first + gap)
    across = [int(rng.integers(0, size - side + 1)) for side in (first, second)]
    tops, lefts = (along, across) if rng.random() < 0.5 else (across, along)
    cells = ((tops[0], lefts[0], first), (tops[1], lefts[1], second))
    return cells if rng.random() < 0.5 else cells[::-1]


def _background_texture(rng: np.random.Generator, size: int) -> Floats:
    """Smooth coloured blobs and fine grey grain around 0: (size, size, 3)."""
    knots = 9
    grid = rng.uniform(-0.12, 0.12, (knots, knots, 3)).astype(np.float32)
    place = np.linspace(0, knots - 1, size, dtype=np.float32)
    weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(knots, dtype=np.float32)))
    blobs = np.einsum("yi,ijc,xj->yxc", weights, grid, weights, optimize=True)
    grain = rng.uniform(-0.02, 0.02, (size, size, 1)).astype(np.float32)
    return blobs + grain


def moving_object(
    rng: np.random.Generator, step: tuple[int, int], num_frames: int, cell: int, base: Floats
) -> tuple[Floats, Floats]:
    """Draw one object and move it by `step` through its cell.

    Returns its colour, (frames, cell, cell, 3), or 1 for axes along which it does not change, and
    its opacity, (frames, cell, cell); both within 0 to 1.
    """
    side = cell * rng.uniform(0.55, 0.75)
    speed = rng.uniform(*SPEEDS)
    start = rng.uniform(0, cell, 2)
    shape = rng.choice(["square", "disc", "diamond"])
    textured = rng.random() < 0.75
    away = rng.choice([-1, 1], 3) * rng.uniform(0.3, 0.6, 3)
    colour = np.where(np.abs(base + away - 0.5) <= 0.5, base + away, base - away)
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    period = side * rng.uniform(0.4, 0.8)

    centres = start + speed * np.arange(num_frames)[:, None] * np.array(step)  # (frames, 2)
    pixels = np.arange(cell) + 0.5
    offsets = (pixels - centres[..., None] + cell / 2) % cell - cell / 2  # (frames, 2, cell)
    rows = offsets[:, 0, :, None].astype(np.float32)
    columns = offsets[:, 1, None, :].astype(np.float32)
    if shape == "square":
        distance = np.maximum(np.abs(rows), np.abs(columns)) - side / 2
    elif shape == "disc":
        distance = np.hypot(rows, columns) - side * 0.56
    else:
        distance = (np.abs(rows) + np.abs(columns) - side * 0.65) / np.sqrt(2)
    alpha = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period) + phase)
    shade = 0.3 * wave[..., None] if textured else np.zeros((1, 1, 1, 1))
    return np.clip(colour + shade, 0, 1).astype(np.float32), alpha
