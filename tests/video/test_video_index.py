import dataclasses
import os
from fractions import Fraction

import numpy as np
import pytest

from glore_video.video import VideoError, VideoIndex, open_video, read_index
from glore_video.video import pyav_backend as pyav
from glore_video.video.orientation import Orientation
from glore_video.video.video_index import FileStamp


def test_what_an_index_holds(corpus):
    index = read_index(corpus["h264, NTSC"].path)
    assert index.num_frames == 40
    assert index.fps == Fraction(30000, 1001)
    assert (index.height, index.width) == (64, 96)
    assert (index.codec, index.pixel_format) == ("h264", "yuv420p")
    assert (index.damage, index.decoded) == ("", False)
    assert index.gop_length == 12
    assert index.duration == pytest.approx(40 * 1001 / 30000)
    assert index.file.size == corpus["h264, NTSC"].path.stat().st_size
    assert index.file.mtime_ns == corpus["h264, NTSC"].path.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("name", "codec", "gop_length"),
    [
        ("h264, one keyframe", "h264", 40),
        ("mjpeg avi", "mjpeg", 1),
        ("one frame", "h264", 1),
        ("edit list", "h264", 12),
        ("av1", "av1", 12),
        ("MPEG-TS", "h264", 0),  # not known
    ],
)
def test_codec_and_gop_length(corpus, name, codec, gop_length):
    index = read_index(corpus[name].path)
    assert (index.codec, index.gop_length) == (codec, gop_length)


def test_size_and_turn_of_turned_video(corpus):
    index = read_index(corpus["turned"].path)  # 90 degrees
    assert (index.height, index.width) == (96, 64)
    assert index.orientation.transpose


def test_bytes_and_back(corpus):
    for name, video in corpus.items():
        for decode in (False, True):
            index = read_index(video.path, decode=decode)
            data = index.to_bytes()
            assert VideoIndex.from_bytes(data) == index, name
            assert len(data) < 500, name
            # Decoding finds nothing else than the packets tell.
            assert dataclasses.replace(index, decoded=True) == read_index(video.path, decode=True)


def test_bytes_that_are_no_index(corpus):
    data = read_index(corpus["h264"].path).to_bytes()
    for wrong in (b"", b"GVX1" + data[4:], b"hello world"):
        with pytest.raises(ValueError, match="not a video index of this version: begins with"):
            VideoIndex.from_bytes(wrong)
    other = bytes([data[40] ^ 1])  # whatever stands there
    for wrong in (data[:-1], data[:40] + other + data[41:], data[:4]):
        with pytest.raises(ValueError, match="a damaged video index"):
            VideoIndex.from_bytes(wrong)


def test_index_saves_demuxing(corpus, oracle, backend, monkeypatch):
    path = corpus["MPEG-TS"].path
    index = VideoIndex.from_bytes(read_index(path).to_bytes())

    def fail(*args):
        raise AssertionError("surveyed")

    monkeypatch.setattr(pyav, "survey", fail)
    with open_video(path, backend=backend, index=index) as video:
        assert (video.num_frames, video.fps) == (40, 30)
        assert (video.height, video.width) == (64, 96)
        assert np.array_equal(video.frames([7])[0].numpy(), oracle["MPEG-TS"][7])
    with pytest.raises(AssertionError, match="surveyed"):
        open_video(path, backend=backend)


def test_index_of_another_file_is_not_used(corpus, oracle, backend):
    indices = {name: read_index(video.path) for name, video in corpus.items()}
    others = list(indices)[1:] + list(indices)[:1]
    for name, other in zip(indices, others, strict=True):
        with open_video(corpus[name].path, backend=backend, index=indices[other]) as video:
            assert video.num_frames == len(oracle[name]), name
            last = video.num_frames - 1
            assert np.array_equal(video.frames([last])[0].numpy(), oracle[name][last]), name


def test_index_of_a_file_that_was_replaced_is_not_used(corpus, oracle, tmp_path):
    # By one of the same size and time: 40 frames instead of 35.
    path = tmp_path / "a.mp4"
    old, new = (corpus[name].path.read_bytes() for name in ("edit list", "h264"))
    size = max(len(old), len(new)) + 1
    path.write_bytes(old.ljust(size, b"\0"))
    time = path.stat().st_mtime_ns
    index = read_index(path)
    assert index.num_frames == 35
    path.write_bytes(new.ljust(size, b"\0"))
    os.utime(path, ns=(time, time))
    with open_video(path, index=index) as video:
        assert video.num_frames == 40
        assert np.array_equal(video.frames([5])[0].numpy(), oracle["h264"][5])


def test_stamp_sees_size_time_and_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(10000))
    os.utime(path, ns=(5, 7))
    stamp = FileStamp.of(str(path))
    assert (stamp.size, stamp.mtime_ns) == (10000, 7)
    for at in (0, 4095, 5904, 9999):
        path.write_bytes(bytes(at) + b"x" + bytes(9999 - at))
        os.utime(path, ns=(5, 7))
        changed = FileStamp.of(str(path))
        assert (changed.size, changed.mtime_ns) == (10000, 7)
        assert changed.crc != stamp.crc, at
    path.write_bytes(bytes(10000))
    os.utime(path, ns=(5, 8))
    assert FileStamp.of(str(path)) != stamp
    assert FileStamp.of(str(path)).crc == stamp.crc
    path.write_bytes(b"abc")
    assert FileStamp.of(str(path)).size == 3


def test_times_that_are_wrong_never_give_a_wrong_frame(corpus, oracle):
    # An index whose file stamp matches, but whose packets belong to no file.
    index = read_index(corpus["h264"].path)
    shifted = tuple(time + 100 for time in index.packets.pts)
    for packets in (
        dataclasses.replace(index.packets, pts=shifted),
        dataclasses.replace(index.packets, keyframes=(100, 200, 300)),
        dataclasses.replace(index.packets, keyframes=(0,)),
    ):
        wrong = dataclasses.replace(index, packets=packets, orientation=Orientation(True))
        with open_video(corpus["h264"].path, index=wrong) as video:
            for k in (0, 14, 39):
                assert np.array_equal(video.frames([k])[0].numpy(), oracle["h264"][k])


def test_no_index_of_what_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("hello")
    with pytest.raises(VideoError, match="can't be opened as video"):
        read_index(path)
    with pytest.raises(VideoError, match="no such file"):
        read_index(tmp_path / "b.mp4", decode=True)
