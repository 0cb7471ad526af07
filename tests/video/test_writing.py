from fractions import Fraction

import numpy as np
import pytest

from glore_video.video import FrameTimes, VideoError, open_video
from glore_video.video.writing import VideoWriter


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "ä b.mp4"
    grey = np.repeat(np.arange(0, 250, 25, dtype=np.uint8), 33 * 40 * 3).reshape(10, 33, 40, 3)
    with VideoWriter(path, fps=Fraction(30000, 1001)) as writer:
        writer.write(grey[:4])
        writer.write(grey[4:])
    with open_video(path) as video:
        assert (video.num_frames, video.height, video.width) == (10, 32, 40)
        assert video.fps == Fraction(30000, 1001)
        got = video.frames(range(10)).float().mean((1, 2, 3)).numpy()
    assert np.abs(got - np.arange(0, 250, 25)).max() < 4
    assert [p.name for p in tmp_path.iterdir()] == ["ä b.mp4"]


def test_frames_of_a_variable_rate_are_shown_at_their_times(tmp_path):
    path = tmp_path / "a.mp4"
    times = FrameTimes(4, Fraction(3, 7), (0, 33, 1000, 7000), Fraction(1, 1000))
    with VideoWriter(path, fps=times.fps, times=times) as writer:
        writer.write(np.zeros((3, 16, 16, 3), dtype=np.uint8))
        writer.write(np.zeros((1, 16, 16, 3), dtype=np.uint8))
    with open_video(path) as video:
        assert list(video.times) == list(times)


def test_a_constant_rate_is_written_as_one(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, fps=25, times=FrameTimes(3, Fraction(25))) as writer:
        writer.write(np.zeros((3, 16, 16, 3), dtype=np.uint8))
    with open_video(path) as video:
        assert (video.fps, video.times.duration) == (25, Fraction(3, 25))


def test_nothing_stays_of_what_fails(tmp_path):
    def interrupted():
        with VideoWriter(tmp_path / "a.mp4", fps=10) as writer:
            writer.write(np.zeros((120, 16, 16, 3), dtype=np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="fps must be above 0, got 0"):
        VideoWriter(tmp_path / "a.mp4", fps=0)
    with VideoWriter(tmp_path / "a.mp4", fps=10) as writer:
        with pytest.raises(ValueError, match="frames must be uint8"):
            writer.write(np.zeros((3, 16, 16, 3), dtype=np.float32))
        writer.write(np.zeros((1, 16, 16, 3), dtype=np.uint8))
        with pytest.raises(ValueError, match="frames of 18x16 pixels after others"):
            writer.write(np.zeros((1, 16, 18, 3), dtype=np.uint8))
    with (
        pytest.raises(VideoError, match="can't be written"),
        VideoWriter(tmp_path / "no" / "a.mp4", fps=10) as writer,
    ):
        writer.write(np.zeros((1, 16, 16, 3), dtype=np.uint8))
