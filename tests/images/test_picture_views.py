"""Views against timm's and torchvision's transforms, and sizes and places by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as tvf

from glore_video.errors import UsageError
from glore_video.images.views import PictureViews, places, resize_side, scaled

SIZES = [(60, 81), (81, 60), (47, 47), (32, 33), (20, 90), (301, 203)]


def smooth(height, width):
    """uint8 (1, height, width, 3): noise with some detail, which resizing changes."""
    coarse = np.random.default_rng(height + width).integers(0, 256, (height // 3, width // 3, 3))
    picture = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.BICUBIC)
    return torch.from_numpy(np.array(picture))[None]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.95, 1.0])
def test_as_timm_evaluates(height, width, crop_mode, interpolation, crop_pct):
    data = pytest.importorskip("timm.data")
    mean = (0.485, 0.456, 0.406)
    transform = data.create_transform(
        (3, 32, 32),
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        mean=mean,
        normalize=False,
    )
    picture = smooth(height, width)
    views = PictureViews(
        size=32,
        sides=(resize_side(32, crop_pct),),
        crop_mode=crop_mode,
        interpolation=interpolation,
        fill=tuple(round(255 * value) for value in mean),
    )(picture)
    expected = transform(Image.fromarray(picture[0].numpy()))
    assert views.shape == (1, 3, 32, 32)
    assert views.is_contiguous()
    assert torch.equal(views[0], torch.as_tensor(expected))


def test_five_crops_mirror_images_and_scales():
    picture = smooth(60, 81)
    views = PictureViews(size=32, sides=(32, 40), crops=5, flips=True)
    shown = views(picture)
    assert views.num_views == 20
    assert shown.shape == (20, 3, 32, 32)
    pictures = shown[::2]
    assert torch.equal(shown[1::2], pictures.flip(3))
    for at, side in ((0, 32), (5, 40)):
        scaled = tvf.resize(Image.fromarray(picture[0].numpy()), side)
        resized = tvf.pil_to_tensor(scaled)[None]
        top_left, top_right, bottom_left, bottom_right, centre = tvf.five_crop(resized, 32)
        expected = torch.cat([centre, top_left, top_right, bottom_left, bottom_right])
        assert torch.equal(pictures[at : at + 5], expected)


@pytest.mark.parametrize(
    ("size", "crop_pct", "side"),
    [(224, 0.875, 256), (224, 0.965, 232), (224, 1, 224), (10, 0.6, 16)],
)
def test_resize_side(size, crop_pct, side):
    assert resize_side(size, crop_pct) == side


@pytest.mark.parametrize(
    ("height", "width", "mode", "expected"),
    [
        (375, 500, "center", (256, 341)),
        (500, 375, "center", (341, 256)),
        (256, 256, "center", (256, 256)),
        (375, 500, "squash", (256, 256)),
        (375, 500, "border", (192, 256)),
        (1, 1000, "border", (1, 256)),
    ],
)
def test_scaled(height, width, mode, expected):
    assert scaled(height, width, 256, mode) == expected


def test_places():
    # 1 pixel too many: round(0.5) is 0; 3 too many: round(1.5) is 2
    assert places(33, 35, 32, 1) == [(0, 2)]
    assert places(40, 32, 32, 5) == [(4, 0), (0, 0), (0, 0), (8, 0), (8, 0)]


def test_a_line_of_pixels_is_not_scaled_whole():
    picture = torch.zeros(1, 1, 20_000, 3, dtype=torch.uint8)
    picture[:, :, 9_990:10_010] = 200
    shown = PictureViews(size=224, sides=(256,))(picture)  # all of it were 256 x 5,120,000 pixels
    assert shown.shape == (1, 3, 224, 224)
    assert shown.unique().tolist() == [200]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sides": (31,)}, r"views of 32 pixels do not fit in pictures scaled to 31"),
        ({"sides": ()}, r"size and sides must be at least 1 pixel, got 32 and \(\)"),
        ({"size": 0}, r"size and sides must be at least 1 pixel, got 0"),
        (
            {"crop_mode": "centre"},
            r"crop_mode must be 'center', 'squash' or 'border', got 'centre'",
        ),
        ({"crops": 3}, r"crops must be 1 or 5, got 3"),
        ({"crop_mode": "border", "crops": 5}, r"crop_mode 'border' shows whole pictures"),
        ({"interpolation": "nearest"}, r"interpolation must be 'bilinear' or 'bicubic'"),
    ],
)
def test_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        PictureViews(**{"size": 32, "sides": (36,)} | changes)


@pytest.mark.parametrize("crop_pct", [0, -1, 1.01])
def test_crop_pct_refused(crop_pct):
    with pytest.raises(UsageError, match="crop_pct must be above 0 and at most 1, got"):
        resize_side(224, crop_pct)


@pytest.mark.parametrize(
    ("views", "size", "expected"),
    [
        # 100 x 60 pixels become 40 x 24, of which the middle 20 x 20 are seen.
        (PictureViews(size=20, sides=(24,)), (60, 100), (5, 25, 50, 50)),
        (PictureViews(size=20, sides=(24, 30), crops=5), (60, 100), (5, 25, 50, 50)),
        (PictureViews(size=20, sides=(20,), crop_mode="squash"), (60, 100), (0, 0, 60, 100)),
        # 100 x 60 become 20 x 12, 4 rows above and below are filled: of 5 pixels each.
        (PictureViews(size=20, sides=(20,), crop_mode="border"), (60, 100), (-20, 0, 100, 100)),
        # Of 1000 x 10 pixels the middle 320 x 10 are looked at.
        (PictureViews(size=10, sides=(10,)), (10, 1000), (0, 495, 10, 10)),
    ],
    ids=["center", "first of several", "squash", "border", "long"],
)
def test_what_the_first_view_shows(views, size, expected):
    assert views.first_rectangle(*size) == pytest.approx(expected)


def test_views_in_words():
    assert PictureViews(size=8, sides=(9,)).words == "centre crop"
    many = PictureViews(size=8, sides=(9, 10), crops=5, flips=True)
    assert many.words == "5 crops, mirror images, 2 scales: 20 views"
    assert PictureViews(size=8, sides=(8,), crop_mode="squash").words == "whole picture"
    assert PictureViews(size=8, sides=(9,), crop_mode="squash").words == "centre crop"
    assert PictureViews(size=8, sides=(7,), crop_mode="border").words == "whole picture"
