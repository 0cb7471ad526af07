"""Every format against how its pixels were rendered, and against torchvision's decoders."""

import warnings

import numpy as np
import pytest
import torch
from picture_corpus import PICTURES, exif, scene
from PIL import Image, ImageOps

from glore_video.images import read_image

# What Pillow and torchvision both decode, and to the same 8 bits.
IN_TORCHVISION = [
    name
    for name in PICTURES
    if name.startswith(("JPEG", "PNG", "GIF", "WebP")) and "16" not in name
]


def by_pillow(path):
    with Image.open(path) as picture:
        return np.array(picture)


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_that_were_rendered(pictures, name):
    rendered = pictures[name]
    picture = read_image(rendered.path)
    assert picture.dtype == torch.uint8
    assert picture.shape == (1, *rendered.pixels.shape)
    missed = np.abs(picture[0].numpy().astype(int) - rendered.pixels)
    assert missed.max() <= rendered.within


@pytest.mark.parametrize("name", PICTURES)
def test_may_be_written_in_place(pictures, name):
    picture = read_image(pictures[name].path)
    assert picture.is_contiguous()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture += 1
    assert not torch.equal(picture, read_image(pictures[name].path))


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_agrees_with_torchvision(pictures, name):
    decode_image = pytest.importorskip("torchvision.io").decode_image
    path = pictures[name].path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = torch.from_numpy(np.fromfile(path, np.uint8))
        expected = decode_image(data, mode="RGB")
    expected = expected[0] if expected.ndim == 4 else expected  # of a film its first frame
    away = (read_image(path)[0].permute(2, 0, 1).int() - expected.int()).abs()
    assert away.max() <= (1 if name in ("JPEG, CMYK", "WebP") else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("ending", "options"), [("jpg", {"quality": 95}), ("png", {}), ("tif", {})]
)
def test_exif_orientation(tmp_path, orientation, ending, options):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(scene()).save(path, exif=exif(orientation), **options)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    picture = read_image(path)[0].numpy()
    assert picture.shape == ((37, 24, 3) if orientation > 4 else (24, 37, 3))
    assert np.array_equal(picture, expected)


def test_exif_orientation_by_hand(tmp_path):
    """Orientation 6: what is stored as the left edge from bottom to top is shown as the top row."""
    path = tmp_path / "a.png"
    Image.fromarray(scene()).save(path, exif=exif(6))
    assert np.array_equal(read_image(path)[0, 0].numpy(), scene()[::-1, 0])


@pytest.mark.parametrize("block", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0??", b"Exif\0\0"])
def test_broken_exif_leaves_the_pixels(tmp_path, block, capfd):
    path = tmp_path / "a.jpg"
    Image.fromarray(scene()).save(path, exif=block, quality=95)
    assert read_image(path).shape == (1, 24, 37, 3)
    assert capfd.readouterr() == ("", "")


def test_nothing_reaches_the_terminal(pictures, capfd, recwarn):
    for rendered in pictures.values():
        read_image(rendered.path)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_by_path_or_string(pictures):
    path = pictures["PNG"].path
    assert torch.equal(read_image(path), read_image(str(path)))
