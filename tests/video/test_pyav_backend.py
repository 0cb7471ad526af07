import pytest

from glore_video.video.pyav_backend import PyavReader


def test_trusted_files_are_never_decoded_from_the_start(corpus, monkeypatch):
    def fail(self, *args):
        raise AssertionError(f"{self.path} was decoded from the start")

    monkeypatch.setattr(PyavReader, "_decode_from_start", fail)
    for name, encoded in corpus.items():
        # A refresh that takes many frames shows only in them: the reader tries and falls back.
        if encoded.exact and name != "intra refresh":
            with PyavReader(str(encoded.path)) as video:
                video.frames([len(encoded.numbers) - 1, 0, len(encoded.numbers) // 2])


@pytest.mark.parametrize("name", ["h264, one keyframe", "hevc"])
def test_frames_that_none_needs_are_left_out_only_in_h264(corpus, monkeypatch, name):
    decoded = []
    rgb = PyavReader._decode_group

    def spy(self, container, stream, *args):
        demux = container.demux

        class Container:
            def demux(self, stream):
                for packet in demux(stream):
                    yield packet
                    decoded.append(stream.codec_context.skip_frame)

        return rgb(self, Container(), stream, *args)

    monkeypatch.setattr(PyavReader, "_decode_group", spy)
    with PyavReader(str(corpus[name].path)) as video:
        video.frames([36])
    assert ("NONREF" in decoded) is (name != "hevc")


def test_reading_stops_at_the_last_wanted_frame(corpus, monkeypatch):
    with PyavReader(str(corpus["h264, one keyframe"].path)) as video:
        container = video._open_container()
        read = []

        class Container:
            seek = container.seek
            streams = container.streams
            close = container.close

            def demux(self, stream):
                for packet in container.demux(stream):
                    read.append(packet.pts)
                    yield packet

        monkeypatch.setattr(video, "_container", Container())
        video.frames([3, 1])
    assert 4 <= len(read) <= 12
