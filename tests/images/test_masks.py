"""Masks give the numbers that were stored, whatever these would look like."""

import numpy as np
import pytest
import torch
from picture_corpus import PALETTE, exif, indices, palette, png, scene, tiff, wide
from PIL import Image

from glore_video.images import PictureError, read_image, read_mask


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_gives_indices(tmp_path, bits):
    path = tmp_path / "a.png"
    path.write_bytes(png(indices(2**bits), bits, 3, extra=palette([0, 128])))
    mask = read_mask(path)
    assert (mask.dtype, mask.shape) == (torch.uint8, (24, 37))
    assert np.array_equal(mask.numpy(), indices(2**bits))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_is_not_scaled(tmp_path, bits):
    for name, data in (
        ("a.png", png(indices(2**bits), bits, 0)),
        ("a.tif", tiff(indices(2**bits), bits)),
        ("b.tif", tiff(indices(2**bits), bits, white_is_zero=True)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        mask = read_mask(path)
        assert mask.dtype == torch.uint8
        assert np.array_equal(mask.numpy(), indices(2**bits)), name


def test_compressed_tiff(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(indices()).save(path, compression="tiff_lzw")
    assert np.array_equal(read_mask(path).numpy(), indices())


def test_grey_of_16_bits(tmp_path):
    for name, data in (
        ("a.png", png(wide(), 16, 0)),
        ("a.tif", tiff(wide(), 16)),
        ("b.tif", tiff(wide(), 16, white_is_zero=True)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        mask = read_mask(path)
        assert (mask.dtype, mask.shape) == (torch.int32, (24, 37))
        assert np.array_equal(mask.numpy(), wide()), name


@pytest.mark.parametrize("ending", ["bmp", "gif"])
def test_other_palettes(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    mask = Image.fromarray(indices()).convert("P")
    mask.putpalette(PALETTE.tobytes())
    mask.save(path, **({"optimize": False} if ending == "gif" else {}))
    assert np.array_equal(read_mask(path).numpy(), indices())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_turned_like_its_picture(tmp_path, orientation):
    """The picture's red is the mask's number at every place."""
    Image.fromarray(scene()).save(tmp_path / "picture.png", exif=exif(orientation))
    Image.fromarray(scene()[..., 0]).save(tmp_path / "mask.png", exif=exif(orientation))
    picture, mask = read_image(tmp_path / "picture.png"), read_mask(tmp_path / "mask.png")
    assert torch.equal(picture[0, ..., 0], mask)
    assert mask.is_contiguous()
    mask += 1  # may be written in place


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("PNG", "a mask must be a palette or grey of up to 16 bits, this is of mode RGB"),
        ("PNG, alpha", "a mask must be a palette or grey of up to 16 bits, this is of mode RGBA"),
        ("TIFF", "a mask must be a palette or grey of up to 16 bits, this is of mode RGB"),
        ("JPEG, grey", "a mask must be one of PNG, TIFF, BMP, GIF, this is JPEG"),
        ("JPEG, two pictures (MPO)", "a mask must be one of PNG, TIFF, BMP, GIF, this is MPO"),
        ("WebP, lossless", "a mask must be one of PNG, TIFF, BMP, GIF, this is WEBP"),
        ("PGM of 16 bits", "a mask must be one of PNG, TIFF, BMP, GIF, this is PPM"),
    ],
)
def test_no_mask(pictures, name, reason):
    path = pictures[name].path
    with pytest.raises(PictureError) as raised:
        read_mask(path)
    assert str(raised.value) == f"{path}: {reason}"


@pytest.mark.parametrize(("bits", "kind"), [(16, 2), (32, 1), (32, 2), (32, 3)])
def test_signed_and_32_bits(tmp_path, bits, kind):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(np.arange(12).reshape(3, 4), bits, kind=kind))
    mode = "F" if kind == 3 else "I"
    with pytest.raises(PictureError, match=f"grey of up to 16 bits, this is of mode {mode}$"):
        read_mask(path)


def test_errors_of_reading(tmp_path):
    with pytest.raises(PictureError, match=r"a\.png: no such file$"):
        read_mask(tmp_path / "a.png")
    path = tmp_path / "b.png"
    path.write_bytes(png(indices(), 8, 0))
    with pytest.raises(PictureError, match="more than max_pixels = 10 pixels"):
        read_mask(path, max_pixels=10)
