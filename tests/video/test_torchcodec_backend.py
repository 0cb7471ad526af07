import sys

import numpy as np
import pytest

from glore_video.video import open_video, read_index
from glore_video.video.pyav_backend import PyavReader


@pytest.fixture
def reader_class():
    try:
        from glore_video.video.torchcodec_backend import TorchcodecReader
    except ImportError as error:
        pytest.skip(str(error))
    return TorchcodecReader


def test_torchcodec_reads_only_what_it_reads_right(corpus, reader_class):
    for name, encoded in corpus.items():
        with open_video(encoded.path, backend="torchcodec") as video:
            right = reader_class if encoded.torchcodec else PyavReader
            assert type(video) is right, name


def test_frames_of_another_time_are_refused(corpus, oracle, reader_class, monkeypatch):
    with open_video(corpus["h264"].path, backend="torchcodec") as video:
        pts = video._known.survey.packets.pts
        assert video._fetch([4, 9]) is not None
        object.__setattr__(video._known.survey.packets, "pts", (*pts[:9], pts[9] + 100, *pts[10:]))
        assert video._fetch([4, 9]) is None
        assert np.array_equal(video.frames([9])[0].numpy(), oracle["h264"][9])


def test_kept_index(corpus, oracle, reader_class):
    path = corpus["h264, one keyframe"].path
    with open_video(path, backend="torchcodec", index=read_index(path)) as video:
        assert type(video) is reader_class
        frames = video.frames([30, 2]).numpy()
    assert np.array_equal(frames, [oracle["h264, one keyframe"][i] for i in (30, 2)])


def test_without_torchcodec(corpus, monkeypatch):
    monkeypatch.delitem(sys.modules, "glore_video.video.torchcodec_backend", raising=False)
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    with pytest.raises(ImportError, match="'torchcodec' needs the package torchcodec and FFmpeg"):
        open_video(corpus["h264"].path, backend="torchcodec")
