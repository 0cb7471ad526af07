import numpy as np
import torch

from glore_video.inspection.adjacency_chart import draw_adjacency
from glore_video.inspection.sheet import SheetRow, draw_sheet, tile_film


def near(pixels, colour, limit=40):
    """Where pixels have about this colour."""
    return np.abs(pixels.astype(int) - np.array(colour)).max(-1) < limit


def test_sheet_has_each_map_over_its_frame():
    pictures = np.zeros((2, 10, 20, 3), dtype=np.uint8)
    weights = np.zeros((2, 10, 20))
    weights[1, :, 10:] = 1  # the second frame's right half
    image = draw_sheet(
        pictures, [SheetRow("frames", ""), SheetRow("node 1", "x", weights)], title="t", tile=80
    )
    pixels = np.asarray(image)
    # Tiles of 80 x 40 from (148, 54), 4 pixels apart.
    orange = near(pixels, (240, 120, 30), 60)
    rows, columns = orange.nonzero()
    assert (rows.min(), rows.max()) == (54 + 44, 54 + 44 + 39)
    assert abs(columns.min() - (148 + 84 + 40)) <= 4
    assert columns.max() == 148 + 84 + 79


def test_film():
    pictures = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    pictures[2] = 255
    rows = [SheetRow("a", ""), SheetRow("b", "note", np.ones((3, 8, 8))), SheetRow("c", "")]
    film = tile_film(pictures, rows, columns=2, tile=64)
    assert film.shape == (3, 2 * (64 + 22), 128, 3)
    assert film[0, 30, 10].tolist() == [0, 0, 0]
    assert film[2, 30, 10].tolist() == [255, 255, 255]
    assert film[0, 30, 70, 0] > 200  # orange
    assert film[0, 150, 100].tolist() == [255, 255, 255]  # no fourth tile


def test_adjacency():
    matrix = torch.eye(4)
    matrix[0, 3] = -0.5  # row 0 takes from column 3
    pixels = np.asarray(draw_adjacency(matrix, title="unit", size=80))
    cell = pixels[74 + 10, 62 + 3 * 20 + 10]
    assert near(cell, (37, 101, 235), 30)
    assert near(pixels[74 + 10, 62 + 10], (235, 112, 18), 30)
    assert pixels[74 + 3 * 20 + 10, 62 + 10].tolist() == [255, 255, 255]
    assert draw_adjacency(torch.ones(1, 1), title="one node").width > 100
