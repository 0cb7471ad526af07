import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from glore_video.pixels import transforms


def numbered(height, width, frames=1):
    """uint8 (frames, height, width, 3) in which every value is 10 * row + column + 100 * channel
    (mod 256), the same in all frames."""
    row, column, channel = torch.meshgrid(
        torch.arange(height), torch.arange(width), torch.arange(3), indexing="ij"
    )
    picture = (10 * row + column + 100 * channel).to(torch.uint8)
    return picture.expand(frames, -1, -1, -1).contiguous()


def noise(height, width, seed=0, frames=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (frames, height, width, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (256, 340, 256, (256, 340)),
        (256, 340, 320, (320, 425)),
        (360, 640, 256, (256, 455)),
        (640, 360, 256, (455, 256)),
        (100, 100, 64, (64, 64)),
        (99, 100, 256, (256, 258)),
        (1, 3, 2, (2, 6)),
    ],
)
def test_short_side(height, width, short_side, expected):
    resized = transforms.resize_short_side(noise(height, width), short_side)
    assert resized.shape == (2, *expected, 3)
    assert resized.dtype == torch.uint8


@pytest.mark.parametrize(("height", "width"), [(60, 80), (80, 60), (45, 45), (31, 97)])
@pytest.mark.parametrize("short_side", [24, 45, 64, 100])
def test_resize_is_within_one_grey_level_of_floating_point(height, width, short_side):
    frames = noise(height, width, seed=height + short_side)
    resized = transforms.resize_short_side(frames, short_side)
    exact = F.interpolate(
        frames.permute(0, 3, 1, 2).double(),
        size=resized.shape[1:3],
        mode="bilinear",
        align_corners=False,
    ).permute(0, 2, 3, 1)
    assert (resized.double() - exact.round()).abs().max() <= 1


@pytest.mark.parametrize(("height", "width"), [(60, 80), (45, 45), (31, 97)])
@pytest.mark.parametrize("size", [(24, 24), (45, 30), (100, 128)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_antialiased_resize_is_within_one_grey_level_of_pillow(height, width, size, interpolation):
    frames = noise(height, width, seed=height, frames=1) // 2 + 64  # nothing comes beyond 0 and 255
    resized = transforms.resize(frames, *size, interpolation=interpolation, antialias=True)
    way = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(frames[0].numpy()).resize(size[::-1], way))
    assert np.abs(resized[0].numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(60, 80), (31, 97)])
@pytest.mark.parametrize("short_side", [24, 100])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_resize_of_each_kind(height, width, short_side, interpolation, antialias):
    how = {"interpolation": interpolation, "antialias": antialias}
    frames = noise(height, width, seed=short_side) // 2 + 64  # nothing comes beyond 0 and 255
    resized = transforms.resize_short_side(frames, short_side, **how)
    exact = F.interpolate(
        frames.permute(0, 3, 1, 2).double(),
        size=resized.shape[1:3],
        mode=interpolation,
        align_corners=False,
        antialias=antialias,
    ).permute(0, 2, 3, 1)
    assert (resized.double() - exact.round()).abs().max() <= 1


def test_resize_by_hand():
    # Columns 0 and 200, twice as wide: pixel centres at -1/4, 1/4, 3/4, 5/4 of the source.
    frames = torch.tensor([0, 200], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 1, 2, 3)
    assert transforms.resize(frames, 1, 4)[0, 0, :, 0].tolist() == [0, 50, 150, 200]


def test_antialiasing_by_hand():
    # Four columns to two: weights 3, 3, 1 of 7 for the pixels under a triangle, cut off at the border.
    frames = torch.tensor([0, 0, 240, 240], dtype=torch.uint8).view(1, 1, 4, 1).expand(1, 4, 4, 3)
    assert transforms.resize(frames, 2, 2)[0, 0, :, 0].tolist() == [0, 240]
    smooth = transforms.resize(frames, 2, 2, antialias=True)
    assert smooth[0, 0, :, 0].tolist() == [34, 206]


def test_random_short_side():
    sizes = [transforms.random_short_side(256, 320, draw) for draw in (0, 0.25, 0.5, 1)]
    assert sizes == [256, 272, 288, 320]
    # 1 / (1/320 + draw * (1/256 - 1/320)) = 320, 304.76, 284.44, 256
    inverse = [
        transforms.random_short_side(256, 320, draw, inverse=True) for draw in (0, 0.2, 0.5, 1)
    ]
    assert inverse == [320, 305, 284, 256]
    assert transforms.random_short_side(224, 224, 0.7, inverse=True) == 224


def test_crop_by_hand():
    frames = numbered(4, 5)
    cropped = transforms.crop(frames, 1, 2, 2, 3)
    assert cropped[0, :, :, 0].tolist() == [[12, 13, 14], [22, 23, 24]]
    assert cropped[0, :, :, 2].tolist() == [[212, 213, 214], [222, 223, 224]]
    assert cropped.untyped_storage().data_ptr() == frames.untyped_storage().data_ptr()


@pytest.mark.parametrize(
    ("height", "width", "size", "position", "corner"),
    [
        # corner = 10 * top + left
        (4, 9, 4, 0, 0),
        (4, 9, 4, 1, 3),  # (9 - 4) / 2 rounded up
        (4, 9, 4, 2, 5),
        (9, 4, 4, 0, 0),
        (9, 4, 4, 1, 30),
        (9, 4, 4, 2, 50),
        (5, 5, 4, 0, 10),  # a square counts as wide; the other side is centred
        (5, 5, 4, 1, 11),
        (5, 5, 4, 2, 11),
        (6, 9, 3, 0, 20),
        (6, 9, 3, 2, 26),
        (9, 6, 3, 2, 62),
        (4, 4, 4, 2, 0),
    ],
)
def test_uniform_crop(height, width, size, position, corner):
    cropped = transforms.uniform_crop(numbered(height, width), size, position)
    assert cropped.shape == (1, size, size, 3)
    assert cropped[0, 0, 0, 0] == corner
    assert cropped[0, -1, -1, 0] == corner + 11 * (size - 1)


def test_centre_crop():
    assert transforms.centre_crop(numbered(4, 9), 3)[0, 0, :, 0].tolist() == [13, 14, 15]


def test_random_crop_reaches_every_place_and_repeats_with_its_seed():
    frames = numbered(4, 5)
    generator = torch.Generator().manual_seed(0)
    corners = [int(transforms.random_crop(frames, 3, generator)[0, 0, 0, 0]) for _ in range(200)]
    assert sorted(set(corners)) == [0, 1, 2, 10, 11, 12]
    again = torch.Generator().manual_seed(0)
    assert corners[:50] == [
        int(transforms.random_crop(frames, 3, again)[0, 0, 0, 0]) for _ in range(50)
    ]
    assert transforms.random_crop(frames[:, :, :4], 4, generator).shape == (1, 4, 4, 3)


def test_horizontal_flip():
    flipped = transforms.horizontal_flip(numbered(2, 3))
    assert flipped[0, :, :, 1].tolist() == [[102, 101, 100], [112, 111, 110]]


def test_to_clip():
    frames = torch.arange(24, dtype=torch.uint8).view(2, 2, 2, 3)
    clip = transforms.to_clip(frames)
    assert clip.is_contiguous()
    assert clip.tolist() == [
        [[[0, 3], [6, 9]], [[12, 15], [18, 21]]],
        [[[1, 4], [7, 10]], [[13, 16], [19, 22]]],
        [[[2, 5], [8, 11]], [[14, 17], [20, 23]]],
    ]


def test_size_errors():
    frames = noise(30, 40)
    generator = torch.Generator()
    too_big = "a crop of 32x32 pixels does not fit in frames of 40x30 pixels"
    with pytest.raises(ValueError, match=too_big):
        transforms.random_crop(frames, 32, generator)
    with pytest.raises(ValueError, match=too_big):
        transforms.centre_crop(frames, 32)
    with pytest.raises(ValueError, match=too_big):
        transforms.uniform_crop(frames, 32, 0)
    with pytest.raises(ValueError, match=r"20x10 pixels at row 21, column 0 does not fit .* 40x30"):
        transforms.crop(frames, 21, 0, 10, 20)
    with pytest.raises(ValueError, match="at row 0, column -1 does not fit"):
        transforms.crop(frames, 0, -1, 10, 20)
    with pytest.raises(ValueError, match="at least 1x1 pixels, got 20x0"):
        transforms.crop(frames, 0, 0, 0, 20)
    with pytest.raises(ValueError, match="position must be 0, 1 or 2, got 3"):
        transforms.uniform_crop(frames, 20, 3)
    with pytest.raises(ValueError, match="short_side must be at least 1, got 0"):
        transforms.resize_short_side(frames, 0)
    with pytest.raises(ValueError, match="1 <= lo <= hi, got 320 and 256"):
        transforms.random_short_side(320, 256, 0.5)
    with pytest.raises(ValueError, match=r"draw must be in \[0, 1\], got 1.5"):
        transforms.random_short_side(256, 320, 1.5)
