"""A sheet of nodes x frames, and the same as frames of a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glore_video.inspection.overlay import blend
from glore_video.reports.drawing import PALE, canvas, scaled, text

_MARGIN, _GAP, _SIDE = 16, 4, 132


@dataclass(frozen=True)
class SheetRow:
    """One line of tiles: what stands before it, and a weight in -1..1 for each pixel of each frame.

    `weights` is float (frames, height, width); None for the bare pictures, or for `pictures`, which are
    shown in their place and are as large.
    """

    name: str
    note: str
    weights: np.ndarray | None = None
    pictures: np.ndarray | None = None

    def over(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 (frames, height, width, 3), as the pictures are."""
        shown = pictures if self.pictures is None else self.pictures
        return shown if self.weights is None else blend(shown, self.weights)


def draw_sheet(
    pictures: np.ndarray,
    rows: Sequence[SheetRow],
    *,
    title: str,
    subtitle: str = "",
    times: Sequence[float] = (),
    tile: int = 160,
) -> Image.Image:
    """Rows of maps over the frames of a clip.

    Args:
        pictures: uint8 (frames, height, width, 3).
        rows: from the top.
        times: of the frames, seconds, written above the columns.
        tile: greater side of a tile, pixels.
    """
    count, height, width = pictures.shape[:3]
    scale = tile / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    head = 70 if times else 54
    across = 2 * _MARGIN + _SIDE + count * (w + _GAP) - _GAP
    image, draw = canvas(max(across, 420), head + len(rows) * (h + _GAP) + _MARGIN)
    room = image.width - 2 * _MARGIN
    text(draw, (_MARGIN, 11), title, size=18, width=room)
    text(draw, (_MARGIN, 34), subtitle, size=13, fill=PALE, width=room)
    for column, seconds in enumerate(times):
        middle = _MARGIN + _SIDE + column * (w + _GAP) + w / 2
        text(draw, (middle, head - 5), f"{seconds:.2f} s", size=12, fill=PALE, anchor="ms")
    for number, row in enumerate(rows):
        top = head + number * (h + _GAP)
        text(draw, (_MARGIN, top + h / 2 - 3), row.name, size=15, anchor="ls", width=_SIDE - 8)
        text(draw, (_MARGIN, top + h / 2 + 3), row.note, size=12, fill=PALE, width=_SIDE - 8)
        shown = row.over(pictures)
        for column in range(count):
            left = _MARGIN + _SIDE + column * (w + _GAP)
            image.paste(scaled(shown[column], w, h), (left, top))
    return image


def draw_grid(
    picture: np.ndarray,
    tiles: Sequence[SheetRow],
    *,
    title: str,
    subtitle: str = "",
    columns: int = 3,
    tile: int = 288,
) -> Image.Image:
    """One picture under each of several maps, side by side.

    Args:
        picture: uint8 (height, width, 3).
        tiles: in reading order; weights are (1, height, width).
        columns: at most so many side by side.
        tile: greater side of a tile, pixels.
    """
    film = tile_film(picture[None], tiles, columns=columns, tile=tile, gap=_GAP)[0]
    image, draw = canvas(max(film.shape[1] + 2 * _MARGIN, 420), film.shape[0] + 54 + _MARGIN)
    room = image.width - 2 * _MARGIN
    text(draw, (_MARGIN, 11), title, size=18, width=room)
    text(draw, (_MARGIN, 34), subtitle, size=13, fill=PALE, width=room)
    image.paste(Image.fromarray(film), (_MARGIN, 54))
    return image


def tile_film(
    pictures: np.ndarray,
    rows: Sequence[SheetRow],
    *,
    columns: int = 3,
    tile: int = 256,
    gap: int = 0,
) -> np.ndarray:
    """The same rows as tiles that play side by side.

    Returns:
        uint8 (frames, height, width, 3), even sizes.
    """
    count, height, width = pictures.shape[:3]
    scale = tile / max(height, width)
    w, h = (max(2, 2 * round(size * scale / 2)) for size in (width, height))
    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    shown = [row.over(pictures) for row in rows]
    across = columns * (w + gap) - gap
    film = np.empty((count, lines * (h + 22), across, 3), dtype=np.uint8)
    for frame in range(count):
        image, draw = canvas(film.shape[2], film.shape[1])
        for number, row in enumerate(rows):
            left, top = number % columns * (w + gap), number // columns * (h + 22)
            words = f"{row.name}   {row.note}" if row.note else row.name
            text(draw, (left + 6, top + 4), words, size=12, width=w - 12)
            image.paste(scaled(shown[number][frame], w, h), (left, top + 22))
        film[frame] = np.asarray(image)
    return film
