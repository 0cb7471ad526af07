from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from glore_video.prediction import VideoPredictor
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.tasks.video_classification.live import watch
from glore_video.video import ClipSampling, VideoError
from glore_video.video.camera import Camera


class FirstFrame(nn.Module):
    """Notes the grey of each frame that it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, clips):
        grey = (clips[0, 0, :, 0, 0] * 0.225 + 0.45) * 255
        self.seen.append([round(float(value)) for value in grey])
        return torch.zeros(1, 2)


@pytest.fixture
def ready():
    return VideoPredictor(
        network=FirstFrame(),
        class_names=("a", "b"),
        views=EvalViews(
            sampling=ClipSampling(num_frames=3, stride=2),
            short_side=8,
            crop_size=8,
            num_clips=10,
            num_crops=1,
        ),
    )


def frames(numbers):
    for number in numbers:
        yield number / 10, np.full((8, 10, 3), number, dtype=np.uint8)


def test_the_latest_clip_is_seen(ready):
    found = list(watch(frames(range(12)), ready, fps=Fraction(10), every=0.3, k=1))
    assert [seconds for seconds, _ in found] == [0.4, 0.7, 1.0]
    assert ready.network.seen == [[0, 2, 4], [3, 5, 7], [6, 8, 10]]
    assert found[0][1][0][1] == 0.5


def test_frames_that_were_dropped(ready):
    list(watch(frames([0, 1, 2, 3, 8, 9]), ready, fps=Fraction(10), every=0.1))
    # Wanted are 0.4, 0.6, 0.8 s and 0.5, 0.7, 0.9 s.
    assert ready.network.seen == [[3, 8, 8], [3, 8, 9]]


def test_no_camera():
    with pytest.raises(VideoError, match="no such camera"):
        Camera(4711)


def test_a_camera_that_is_none(tmp_path):
    path = tmp_path / "device"
    path.write_text("nothing")
    with pytest.raises(VideoError, match="can't be opened as a camera"):
        Camera(str(path))


def test_frames_of_a_device():
    with Camera("testsrc=size=64x48:rate=10", format="lavfi") as camera:
        assert camera.fps == 10
        frames = iter(camera)
        got = [next(frames) for _ in range(3)]
    assert [round(seconds, 3) for seconds, _ in got] == [0.0, 0.1, 0.2]
    assert got[0][1].shape == (48, 64, 3)
