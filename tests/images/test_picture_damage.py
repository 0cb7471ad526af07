"""What can't be read as a picture is one PictureError, soon and in little memory."""

import multiprocessing
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from picture_corpus import HEIGHT, PICTURES, WIDTH, bombs, scene, tiff
from PIL import Image

from glore_video.errors import SampleError, is_users
from glore_video.images import PictureError, read_image

# Cut off within their pixels, these lack some. Of others a whole picture may stand before the cut.
CUT = [name for name in PICTURES if "moving" not in name and "MPO" not in name]


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.75])
def test_cut_off(pictures, tmp_path, name, share):
    whole = pictures[name].path.read_bytes()
    path = tmp_path / "é a.jpg"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PictureError, match=r"é a\.jpg: can't be (decoded|opened as a picture): "):
        read_image(path)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", "no such file"),
        ("empty", "the file is empty"),
        ("folder", "is a folder, not a file"),
        ("text", "can't be opened as a picture: none of JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM"),
        ("eps", "can't be opened as a picture: none of JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM"),
    ],
)
def test_no_picture(tmp_path, what, reason):
    path = tmp_path / "a.jpg"
    if what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not a picture\n" * 100)
    elif what == "eps":  # Pillow would run another program on it
        Image.fromarray(scene()).save(path, "EPS")
    with pytest.raises(PictureError) as raised:
        read_image(path)
    assert str(raised.value) == f"{path}: {reason}"
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), again.path, again.reason) == (PictureError, str(path), reason)


def test_is_the_users_like_that_of_a_video():
    assert issubclass(PictureError, SampleError)
    assert is_users(PictureError("a.jpg", "is empty"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_not_allowed(pictures, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(pictures["PNG"].path.read_bytes())
    path.chmod(0)
    with pytest.raises(PictureError, match=r"a\.png: Permission denied$"):
        read_image(path)


@pytest.mark.parametrize(("bits", "kind"), [(16, 2), (32, 1), (32, 2), (32, 3)])
def test_numbers_without_a_white(tmp_path, bits, kind):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(np.arange(12).reshape(3, 4), bits, kind=kind))
    with pytest.raises(PictureError, match="signed or 32-bit numbers, whose white is not known$"):
        read_image(path)


@pytest.mark.parametrize("name", bombs())
def test_promises_of_a_header_are_not_believed(tmp_path, name):
    path = tmp_path / "a"
    path.write_bytes(bombs()[name])
    with pytest.raises(
        PictureError, match=r"has more than max_pixels = 100,000,000 pixels \(DATA.MAX_PIXELS\)$"
    ):
        read_image(path)


def grown_by_refusing(folder):
    """Most MiB that the process took beyond what it has, which a new process would hide: it begins
    with the most of the one that started it."""
    resource = pytest.importorskip("resource")

    def most():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = most()
    for path in folder.iterdir():
        with pytest.raises(PictureError):
            read_image(path)
    return (most() - before) / (1024 if sys.platform == "linux" else 2**20)


def test_promises_cost_no_memory(tmp_path):
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=fork) as forked:
        assert forked.submit(grown_by_refusing, tmp_path).result() < 20


def test_the_limit_can_be_set(pictures):
    path = pictures["PNG"].path
    assert read_image(path, max_pixels=HEIGHT * WIDTH).shape[1:3] == (HEIGHT, WIDTH)
    with pytest.raises(PictureError, match="more than max_pixels = 887 pixels"):
        read_image(path, max_pixels=HEIGHT * WIDTH - 1)


def test_above_the_limit_of_pillow(pictures, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        PictureError, match=r"PIL\.Image\.MAX_IMAGE_PIXELS is too small: Image size"
    ):
        read_image(pictures["PNG"].path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)  # above it Pillow only warns, we don't
    assert read_image(pictures["PNG"].path).shape[1:3] == (HEIGHT, WIDTH)
    assert not recwarn.list
