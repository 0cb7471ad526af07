import pytest
import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.inspection.token_grid import on_grid

PATCHES = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 8, stride=8))


@pytest.mark.parametrize("before", [0, 1, 5])
def test_patches_come_last_row_by_row(before):
    """24 x 32 pixels are 3 x 4 patches."""
    maps = torch.arange(2.0 * (before + 12)).view(2, -1)
    found = on_grid(maps, (24, 32), PATCHES)
    assert found.shape == (2, 3, 4)
    assert found[0, 0].tolist() == [before, before + 1, before + 2, before + 3]
    assert found[0, 2, 3] == before + 11


def test_as_many_rows_as_columns_where_no_layer_says_it():
    assert on_grid(torch.zeros(2, 17), (64, 64), nn.Identity()).shape == (2, 4, 4)


def test_maps_stay_as_they_are():
    maps = torch.rand(2, 3, 5)
    assert on_grid(maps, (24, 32), PATCHES) is maps


def test_no_grid():
    with pytest.raises(UsageError, match="120 tokens are no grid over 24 x 32 pixels"):
        on_grid(torch.zeros(1, 120), (24, 32), nn.Identity())
