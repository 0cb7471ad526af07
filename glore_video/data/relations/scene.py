"""What rendered videos and pictures have in common: background, cells, outlines, colours, stripes.

Each of the two objects lives in an invisible square cell of its own; the cells lie far apart.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glore_video.errors import UsageError

Floats: TypeAlias = NDArray[np.float32]
Cell: TypeAlias = tuple[int, int, int]
"""Top, left, side, in pixels."""

MIN_GAP = 16
"""Least distance, in pixels, between the cells of the two objects, along rows or along columns."""
MIN_SIZE = 48
SHAPES = ("square", "disc", "diamond")


def check_size(size: int) -> None:
    """Raise a ValueError unless something of this height and width can be rendered."""
    if size < MIN_SIZE or size % 2:
        raise UsageError(f"size is {size}, but must be even and at least {MIN_SIZE}")


def place_cells(rng: np.random.Generator, size: int) -> tuple[Cell, Cell]:
    """Draw the two cells, at least MIN_GAP apart on one axis."""
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


def draw_background(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Smooth coloured blobs and fine grey grain around a greyish colour, all within 0 to 1.

    Returns the colour, (3,), and the picture, (size, size, 3).
    """
    base = rng.uniform(0.42, 0.58, 3).astype(np.float32)
    knots = 9
    grid = rng.uniform(-0.12, 0.12, (knots, knots, 3)).astype(np.float32)
    place = np.linspace(0, knots - 1, size, dtype=np.float32)
    weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(knots, dtype=np.float32)))
    blobs = np.einsum("yi,ijc,xj->yxc", weights, grid, weights, optimize=True)
    grain = rng.uniform(-0.02, 0.02, (size, size, 1)).astype(np.float32)
    return base, np.clip(base + (blobs + grain), 0, 1)


def draw_side(rng: np.random.Generator, cell: int) -> float:
    """Draw the size of an object, in pixels, for a cell of this side."""
    return cell * rng.uniform(0.55, 0.75)


def draw_colour(rng: np.random.Generator, base: Floats) -> NDArray[np.float64]:
    """Draw a colour, (3,), far from the background's in each of red, green and blue."""
    away = rng.choice([-1, 1], 3) * rng.uniform(0.3, 0.6, 3)
    return np.where(np.abs(base + away - 0.5) <= 0.5, base + away, base - away)


def opacity(shape: str, side: float, rows: Floats, columns: Floats) -> Floats:
    """Opacity, 0 to 1, at these distances in pixels from the centre of a shape; they broadcast."""
    if shape == "square":
        distance = np.maximum(np.abs(rows), np.abs(columns)) - side / 2
    elif shape == "disc":
        distance = np.hypot(rows, columns) - side * 0.56
    else:
        distance = (np.abs(rows) + np.abs(columns) - side * 0.65) / np.sqrt(2)
    return np.clip(0.5 - distance, 0, 1).astype(np.float32)


def stripes(
    rows: Floats, columns: Floats, *, angle: float, period: float, phase: float
) -> NDArray[np.floating]:
    """A wave, -1 to 1, of this period in pixels; angle 0: along columns, so the stripes stand."""
    return np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period) + phase)
