import numpy as np
import torch

from glore_video.inspection.adjacency_chart import draw_adjacency
from glore_video.inspection.node_graph import draw_node_graph
from glore_video.inspection.sheet import SheetRow, draw_grid, draw_sheet, tile_film


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


def test_grid_of_a_picture():
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    tiles = [SheetRow("a", ""), SheetRow("b", "", np.ones((1, 8, 8))), SheetRow("c", "")]
    pixels = np.asarray(draw_grid(picture, tiles, title="t", columns=2, tile=64))
    # From (16, 54 + 22), 4 pixels between two tiles.
    assert pixels[54 + 22 + 32, 16 + 32].tolist() == [0, 0, 0]
    assert pixels[54 + 22 + 32, 16 + 64 + 2].tolist() == [255, 255, 255]
    assert pixels[54 + 22 + 32, 16 + 68 + 32, 0] > 200  # orange
    assert pixels[54 + 2 * 86 - 32, 16 + 32].tolist() == [0, 0, 0]


def test_graph_of_nodes():
    """Of four nodes three are drawn: 2 takes from 0, and nothing else is taken."""
    matrix = torch.eye(4)
    matrix[2, 0] = 0.5
    tiles = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    pixels = np.asarray(draw_node_graph(matrix, [0, 2, 3], tiles, title="unit", tile=64))
    red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    orange = red > blue + 40
    assert not (blue > red + 40).any()
    assert orange.sum() > 100
    # Node 0 is on top, node 2 to the right below: dark where it takes, pale at node 0.
    rows, columns = orange.nonzero()
    assert rows.mean() > pixels.shape[0] / 3
    assert columns.min() > pixels.shape[1] / 2 - 8
    shades = red - blue
    assert shades[rows.max(), columns[rows.argmax()]] > shades[rows.min(), columns[rows.argmin()]]
    alone = draw_node_graph(matrix, [1], tiles[:1], title="unit", tile=64)
    assert np.ptp(np.asarray(alone).astype(int), axis=2).max() < 40
