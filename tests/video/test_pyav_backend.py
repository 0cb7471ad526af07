import os
from pathlib import Path

import av
import numpy as np
import pytest
from encoded_videos import encode

from glore_video.video import VideoError, open_video
from glore_video.video.decoding import PacketDecoder
from glore_video.video.pyav_backend import PyavReader


@pytest.fixture
def packets(monkeypatch):
    """(time, skip_frame) of the packets that PyavReader gives to decoders by seeking."""
    seen = []
    decode = PacketDecoder.decode

    def spy(self, packet):
        seen.append((packet.pts, packet.stream.codec_context.skip_frame))
        return decode(self, packet)

    monkeypatch.setattr(PacketDecoder, "decode", spy)
    return seen


def test_trusted_files_are_never_decoded_from_the_start(corpus, monkeypatch):
    def fail(self, *args):
        raise AssertionError(f"{self.path} was decoded from the start")

    monkeypatch.setattr(PyavReader, "_decode_from_start", fail)
    for encoded in corpus.values():
        if encoded.exact:
            with PyavReader(str(encoded.path)) as video:
                video.frames([len(encoded.numbers) - 1, 0, len(encoded.numbers) // 2])


@pytest.mark.parametrize("name", ["h264, one keyframe", "hevc"])
def test_frames_that_none_needs_are_left_out_only_in_h264(corpus, packets, name):
    with PyavReader(str(corpus[name].path)) as video:
        video.frames([36])
        wanted = video.survey.packets.pts[36]
    skipping = [skip for _, skip in packets]
    assert ("NONREF" in skipping) is (name != "hevc")
    assert dict(packets)[wanted] == "DEFAULT"


def test_reading_stops_at_the_last_wanted_packet(corpus, packets):
    with PyavReader(str(corpus["h264, one keyframe"].path)) as video:
        video.frames([3, 1])
        last = packets[-1][0]
        # Stored before frame 1 or 3 are at most the frames of one group of B frames and its end.
        assert last in (video.survey.packets.pts[1], video.survey.packets.pts[3])
        assert len(packets) <= 5


def test_reading_begins_at_the_keyframe_before(corpus, packets):
    with PyavReader(str(corpus["h264"].path)) as video:  # keyframes 0, 12, 24, 36
        video.frames([26, 37])
        pts = video.survey.packets.pts
    assert packets[0][0] == pts[24]
    assert all(pts[24] <= time for time, _ in packets)
    assert pts[36] in dict(packets)
    assert pts[35] not in dict(packets)  # after 26, the next keyframe is sought


def test_keyframe_that_is_none_is_not_begun_at(corpus, oracle, tmp_path):
    name = "mpeg4 mp4, B frames"
    data = bytearray(corpus[name].path.read_bytes())
    second = data.index(b"stss") + 16  # box name, version, count, numbers of keyframes from 1 on
    data[second + 3] += 1
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    whole = PyavReader(str(corpus[name].path))
    with whole, PyavReader(str(path)) as video:
        assert video.survey.packets.keyframes[1] > whole.survey.packets.keyframes[1]
        first = video.survey.packets.pts.index(video.survey.packets.keyframes[1])
        for k in (first, first + 1, first + 5):
            assert np.array_equal(video.frames([k])[0].numpy(), oracle[name][k])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_no_threads_are_started(corpus):
    before = len(os.listdir("/proc/self/task"))
    with PyavReader(str(corpus["h264"].path)) as video:
        video.frames([0, 5, 30])
        assert len(os.listdir("/proc/self/task")) == before


def test_playlists_are_not_followed(tmp_path):
    video = encode(tmp_path / "a.ts", numbers=range(5))
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:1.0,\n{video.name}\n#EXT-X-ENDLIST\n"
    )
    with av.open(str(playlist)) as container:  # FFmpeg would
        assert container.streams.video
    with pytest.raises(VideoError, match="not a container of videos"):
        open_video(playlist)
