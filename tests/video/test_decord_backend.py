import logging
import sys

import numpy as np
import pytest
from encoded_videos import encode

pytest.importorskip("decord")

from glore_video.video import VideoError, open_video
from glore_video.video.decord_backend import DecordReader
from glore_video.video.pyav_backend import PyavReader
from glore_video.video.second_decoder import log_once


def test_decord_reads_only_what_it_reads_right(corpus):
    for name, encoded in corpus.items():
        with open_video(encoded.path, backend="decord") as video:
            assert type(video) is (DecordReader if encoded.decord else PyavReader), name


def test_turned_video_goes_to_pyav(tmp_path):
    path = encode(tmp_path / "turned.mkv", numbers=[1, 2], rotation=90)
    with open_video(path, backend="decord") as video:
        assert type(video) is PyavReader


def test_cut_off_file_goes_to_pyav(corpus, tmp_path):
    whole = corpus["faststart"].path.read_bytes()
    path = tmp_path / "t.mp4"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with open_video(path, backend="decord", damaged="use_prefix") as video:
        assert type(video) is PyavReader


def test_pyav_takes_over_when_decord_fails(corpus, tmp_path, capfd):
    data = bytearray(corpus["h264, one keyframe"].path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with open_video(path, backend="decord") as video:
        assert type(video) is DecordReader
        with pytest.raises(VideoError, match=r"damaged\.mp4: only \d+ of 40 frames can be decoded"):
            video.frames([39])
    assert capfd.readouterr().err == ""


def test_handing_over_is_logged_once(corpus, caplog):
    log_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        for _ in range(2):
            for name in ("open GOP", "MPEG-TS", "h264"):
                open_video(corpus[name].path, backend="decord").close()
    assert [record.getMessage() for record in caplog.records] == [
        "decord does not read open GOPs right: PyAV reads them in its place",
        "decord does not read files whose time stamps don't tell their frames right: "
        "PyAV reads them in its place",
    ]


def test_without_decord(corpus, monkeypatch):
    monkeypatch.delitem(sys.modules, "glore_video.video.decord_backend")
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(ImportError, match="the video backend 'decord' needs the package decord"):
        open_video(corpus["h264"].path, backend="decord")


def test_bridge_that_somebody_else_has_set(corpus, oracle):
    import decord

    decord.bridge.set_bridge("torch")
    try:
        with open_video(corpus["h264"].path, backend="decord") as video:
            assert np.array_equal(
                video.frames([30, 2]).numpy(), [oracle["h264"][i] for i in (30, 2)]
            )
    finally:
        decord.bridge.reset_bridge()
