"""Lines that move: by hand, and against PIL's affine transform."""

import numpy as np
import pytest
import torch
from PIL import Image

from glore_video.pixels.warps import move_columns, move_rows


def rows(*lines):
    """One frame whose three channels are these rows."""
    return torch.tensor(lines, dtype=torch.uint8).expand(1, 3, -1, -1).contiguous()


def moved(function, pictures, shifts, kernel="bilinear", fill=9):
    out = function(pictures, shifts, kernel=kernel, fill=fill)
    assert torch.equal(out[:, 0], out[:, 1])
    return out[0, 0].tolist()


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ([0.0], [[10, 20, 30], [40, 50, 60]]),
        ([1.0], [[20, 30, 9], [50, 60, 9]]),
        ([-2.0], [[9, 9, 10], [9, 9, 40]]),
        ([0.25], [[13, 23, 30], [43, 53, 60]]),  # 12.5 and 22.5 are rounded up
        # pixel 0 comes from 0.5 - 0.6 < 0; what comes from just inside repeats the border
        ([-0.6], [[9, 14, 24], [9, 44, 54]]),
        ([-0.25, 1.5], [[10, 18, 28], [55, 9, 9]]),
        ([3.0, -3.0], [[9, 9, 9], [9, 9, 9]]),
        ([1e6, -1e6], [[9, 9, 9], [9, 9, 9]]),
    ],
)
def test_rows_by_hand(shifts, expected):
    pictures = rows([10, 20, 30], [40, 50, 60])
    assert moved(move_rows, pictures, shifts) == expected
    turned = np.array(expected).T.tolist()
    assert moved(move_columns, pictures.transpose(2, 3).contiguous(), shifts) == turned


def test_bicubic_by_hand():
    # weights at one half: -1/8, 5/8, 5/8, -1/8
    pictures = rows([0, 80, 160, 200, 0])
    # 0: 0.625*80 - 0.125*160; 80: (5*240 - 200)/8; 160: (5*360 - 80)/8; the last one is outside
    assert moved(move_rows, pictures, [0.5], "bicubic") == [[30, 125, 215, 105, 9]]
    assert moved(move_rows, rows([255, 255, 0, 0]), [0.5], "bicubic") == [[255, 128, 0, 9]]


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("slope", "offset"), [(0.3, 0.0), (-0.3, 2.2), (0.0, -7.6), (1.7, -30.1)])
def test_against_pil(kernel, slope, offset):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 23, 31, 3), dtype=torch.uint8, generator=generator)
    pictures = frames.permute(0, 3, 1, 2).contiguous()
    before = pictures.clone()
    for move, lines, matrix in (
        (move_rows, 23, (1, slope, offset, 0, 1, 0)),
        (move_columns, 31, (1, 0, 0, slope, 1, offset)),
    ):
        shifts = [offset + slope * (line + 0.5) for line in range(lines)]
        out = move(pictures, shifts if slope else shifts[:1], kernel=kernel, fill=128)
        assert out.shape == pictures.shape
        expected = np.stack(
            [
                np.asarray(
                    Image.fromarray(frame.numpy()).transform(
                        (31, 23),
                        Image.Transform.AFFINE,
                        matrix,
                        resample=Image.Resampling[kernel.upper()],
                        fillcolor=(128, 128, 128),
                    )
                )
                for frame in frames
            ]
        )
        difference = out.permute(0, 2, 3, 1).numpy().astype(int) - expected
        assert np.abs(difference).max() <= 1
    assert torch.equal(pictures, before)
