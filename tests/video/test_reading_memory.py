"""Frames of full size are let go of as soon as they are scaled."""

import gc
import subprocess
import sys
import weakref

import av
import pytest
import torch
from encoded_videos import encode

from glore_video.pixels.transforms import centre_crop, resize, resize_short_side
from glore_video.video import open_video, reader


def smaller(frames):
    return centre_crop(resize_short_side(frames, 40), 32)


@pytest.mark.parametrize("name", ["h264", "turned", "4:4:4, odd size", "MPEG-TS", "variable rate"])
@pytest.mark.parametrize(
    "transform",
    [smaller, lambda frames: resize(frames, 100, 90), lambda frames: frames[:, 3:9, ::2]],
    ids=["smaller", "larger", "view"],
)
def test_frames_scaled_one_by_one_are_those_scaled_together(corpus, backend, name, transform):
    indices = [30, 3, 3, 17, 39]
    with open_video(corpus[name].path, backend=backend) as video:
        expected = transform(video.frames(indices))
        assert torch.equal(video.frames(indices, transform), expected)


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (720, 1280), (33, 40)])
@pytest.mark.parametrize("side", [17, 63, 64, 128])
def test_scaling_a_frame_is_scaling_all(size, side):
    """Of any layout in memory; decoders leave room at the ends of lines."""
    generator = torch.Generator().manual_seed(side)
    height, width = size
    wide = torch.randint(0, 256, (5, height, width + 24, 3), generator=generator, dtype=torch.uint8)
    frames = wide[:, :, :width]
    together = resize_short_side(frames.clone(), side)
    for number, frame in enumerate(frames):
        assert torch.equal(resize_short_side(frame[None], side)[0], together[number])


def test_clips_share_one_decoding(corpus, backend, monkeypatch):
    clips = [[0, 8, 16], [8, 16, 24], [16, 16, 39], []]
    transforms = [smaller, None, lambda frames: frames.flip(2), None]
    with open_video(corpus["h264"].path, backend=backend) as video:
        asked = []
        decode = video._decode
        monkeypatch.setattr(
            video, "_decode", lambda wanted, take: asked.append(wanted) or decode(wanted, take)
        )
        got = video.clips(clips, transforms)
        assert asked == [[0, 8, 16, 24, 39]]
        for clip, transform, frames in zip(clips, transforms, got, strict=True):
            plain = video.frames(clip)
            assert torch.equal(frames, plain if transform is None else transform(plain))


@pytest.mark.parametrize(
    "name",
    [
        "h264",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("turned", "MPEG-TS", "edit list")),
    ],
)
def test_one_large_frame_at_a_time(corpus, name, monkeypatch):
    """Neither the picture nor the decoder's frame behind it is kept."""
    monkeypatch.setattr(reader, "_TOGETHER", 1)
    pictures: list[weakref.ref] = []
    alive = []

    def count():
        alive.append(sum(type(each) is av.VideoFrame for each in gc.get_objects()))

    def look(frames):
        if len(pictures) == 34:
            count()
        assert all(picture() is None for picture in pictures)
        assert len(frames) == 1
        pictures.append(weakref.ref(frames))
        return frames[:, :8, :8]

    gc.collect()
    count()  # other tests keep some
    gc.disable()
    try:
        with open_video(corpus[name].path) as video:
            video.frames(range(35), look)
    finally:
        gc.enable()
    assert len(pictures) == 35
    assert alive[1] - alive[0] < 10  # of those that come out of the decoder at once


def test_as_many_small_frames_together_as_fit(corpus, monkeypatch):
    monkeypatch.setattr(reader, "_TOGETHER", 6 * 64 * 96 * 3)
    together = []

    def look(frames):
        together.append(len(frames))
        return smaller(frames)

    indices = [*range(20), 3]
    with open_video(corpus["h264"].path) as video:
        expected = smaller(video.frames(indices))
        assert torch.equal(video.frames(indices, look), expected)
    assert together == [6, 6, 6, 2]


PEAK = """
import sys
import torch
from glore_video.video import open_video
from glore_video.pixels.transforms import resize_short_side

def most():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

torch.set_num_threads(1)
with open_video(sys.argv[1], backend=sys.argv[2]) as video:
    video.frames([0], lambda frames: resize_short_side(frames, 64))
    before = most()
    video.frames(range(60), lambda frames: resize_short_side(frames, 64))
    print(most() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_large_video_is_scaled_in_little_memory(tmp_path, backend):
    """60 frames are 373 MB at full size; a decoder needs some for itself."""
    path = encode(
        tmp_path / "large.mp4",
        numbers=[k % 4 for k in range(60)],
        size=(1080, 1920),
        options={"preset": "ultrafast"},
    )
    command = [sys.executable, "-c", PEAK, str(path), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 250
