import pytest
from encoded_videos import encode

pytest.importorskip("decord")

from glore_video.video import VideoError, open_video
from glore_video.video.decord_backend import DecordReader
from glore_video.video.pyav_backend import PyavReader


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
