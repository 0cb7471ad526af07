"""Pixel formats with one thread: right, and in processes that are forked after frames were scaled."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from encoded_videos import encode, picture

import glore_video
from glore_video.video.frame_conversion import FrameConverter

PACKAGE = Path(glore_video.__file__).parent


def test_there_and_back_in_grey():
    grey = np.repeat(np.arange(16, 232, 2, dtype=np.uint8)[None, :, None], 3, axis=2)
    grey = np.repeat(grey, 10, axis=0)  # (10, 108, 3)
    converter = FrameConverter()
    frame = converter.from_rgb(grey, "yuv420p")
    assert (frame.format.name, frame.width, frame.height) == ("yuv420p", 108, 10)
    assert np.abs(converter.to_rgb(frame).astype(int) - grey).max() <= 2


@pytest.mark.parametrize("width", [31, 33, 64, 97])  # rows of 3 * width bytes are padded in memory
def test_rgb_is_left_alone_whatever_the_width(width):
    shown = picture(5, 40, width)
    frame = VideoFrame.from_ndarray(shown, format="rgb24")
    np.testing.assert_array_equal(FrameConverter().to_rgb(frame), shown)


def test_size_and_time():
    frame = VideoFrame.from_ndarray(picture(0, 40, 64), format="rgb24")
    frame.pts = 7
    small = FrameConverter().convert(frame, "yuv420p", width=32, height=20)
    assert (small.width, small.height, small.pts) == (32, 20, 7)


def test_nothing_else_scales_frames():
    """PyAV's own `reformat` and `to_ndarray` start threads that forked processes wait for."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("reformat", "to_ndarray"):
                found.add(path.relative_to(PACKAGE).as_posix())
            if isinstance(node, ast.Name) and node.id == "VideoReformatter":
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"video/frame_conversion.py"}


# A process that scaled a frame by PyAV's default, as a notebook may, and by ours runs each of our ways
# to read and write in a child that it forks.
PROGRAM = """
import sys
import av
import numpy as np
from glore_video.processes.forked_child import Child
from glore_video.video.frame_conversion import FrameConverter

source, out = sys.argv[1:]
frame = av.VideoFrame.from_ndarray(np.zeros((360, 640, 3), np.uint8), format="rgb24")
frame.reformat(format="yuv420p").to_ndarray(format="rgb24")
converter = FrameConverter()
converter.to_rgb(converter.convert(frame, "yuv420p"))


def read():
    from glore_video.video import open_video
    with open_video(source) as video:
        return tuple(video.frames([0, 3]).shape)

def reencode():
    from pathlib import Path
    from glore_video.data.video.reencoding import Encoding, reencode
    reencode(source, Path(out), Encoding(short_side=32, preset="ultrafast"))
    return Path(out).is_file()

def write():
    from glore_video.video.writing import VideoWriter
    with VideoWriter(out, fps=30) as writer:
        writer.write(np.zeros((3, 360, 640, 3), np.uint8))
    return True

def render():
    from pathlib import Path
    from glore_video.data.relations.videos import _encode
    _encode(Path(out), np.zeros((3, 360, 640, 3), np.uint8), fps=12)
    return True

def camera():
    from glore_video.video.camera import Camera
    with Camera(source, format="mov") as camera:
        return next(iter(camera))[1].shape

def inherit():
    global converter
    converter.to_rgb(converter.convert(frame, "yuv420p", width=320, height=180))
    del converter
    return True

for way in (inherit, read, reencode, write, render, camera):
    child = Child(way)
    child.send()
    print(way.__name__, child.receive() if child.answers_within(20) else "hangs", flush=True)
    child.kill()
"""


def test_forked_processes_scale_after_their_parent_did(tmp_path):
    source = encode(tmp_path / "a.mp4", numbers=range(5), size=(360, 640))
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM, source, tmp_path / "out.mp4"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.splitlines() == [
        "inherit True",
        "read (2, 360, 640, 3)",
        "reencode True",
        "write True",
        "render True",
        "camera (360, 640, 3)",
    ]
