"""Pictures of videos: their form, and that nothing about them can hold up a test."""

import base64
import io
import logging
import time
from threading import Event

import numpy as np
from PIL import Image

from glore_video.tasks.classification.thumbnails import thumbnails


def decoded(uri):
    head, content = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_size_and_colour():
    frames = np.zeros((2, 240, 320, 3), dtype=np.uint8)
    frames[1, :, :, 0] = 200
    ((black, red),) = thumbnails(["a"], lambda path: frames)
    assert decoded(black).size == decoded(red).size == (160, 120)
    assert max(decoded(black).getpixel((80, 60))) < 10
    pixel = decoded(red).getpixel((80, 60))
    assert pixel[0] > 180
    assert max(pixel[1:]) < 20


def test_wide_and_high_videos():
    def frames_of(path):
        return np.zeros((1, *map(int, path.split("x")), 3), dtype=np.uint8)

    wide, high = thumbnails(["100x1000", "1000x2"], frames_of)
    assert decoded(wide[0]).size == (240, 120)
    assert decoded(high[0]).size == (1, 120)


def test_nobody_to_ask():
    assert thumbnails(["a", "b"], None) == [[], []]
    assert thumbnails([], lambda path: np.zeros((1, 8, 8, 3), np.uint8)) == []


def test_a_hanging_disk_holds_up_nobody(caplog):
    hang = Event()

    def frames_of(path):
        if path == "b":
            hang.wait(20)
        return np.zeros((1, 8, 8, 3), dtype=np.uint8)

    start = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        first, second, third = thumbnails(["a", "b", "c"], frames_of, seconds=0.5)
    assert time.monotonic() - start < 10
    hang.set()
    assert len(first) == 1
    assert (second, third) == ([], [])
    assert "took more than 0.5 s; some are left out" in caplog.text
