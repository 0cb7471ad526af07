from types import SimpleNamespace

import av
import pytest

from glore_video.video.packet_index import _reorder_depth, read_packets


def index_of(path):
    with av.open(str(path)) as container:
        return read_packets(container, container.streams.video[0])[0]


def test_times_and_keyframes(corpus):
    index = index_of(corpus["h264"].path)  # 1/15360 s a tick, 512 a frame
    assert index.pts == tuple(range(0, 40 * 512, 512))
    assert index.keyframes == (0, 12 * 512, 24 * 512, 36 * 512)
    for frame, keyframe in ((0, 0), (11, 0), (12, 12), (23, 12), (35, 24), (39, 36)):
        assert index.keyframe_before(frame) == keyframe * 512


def test_edit_list_hides_frames(corpus):
    index = index_of(corpus["edit list"].path)
    assert len(index.pts) == 35
    assert index.edited
    assert index.keyframe_before(0) < index.pts[0]


def test_which_files_can_be_trusted(corpus):
    for name, encoded in corpus.items():
        assert index_of(encoded.path).exact == encoded.exact, name


@pytest.mark.parametrize(
    ("name", "edited", "open_gop"),
    [
        ("h264", False, False),
        ("mkv", False, False),
        ("open GOP", False, True),
        ("intra refresh", False, True),
        ("edit list", True, False),
        ("mpeg4 mp4, B frames", False, False),
    ],
)
def test_what_decord_must_know(corpus, name, edited, open_gop):
    index = index_of(corpus[name].path)
    assert (index.edited, index.open_gop, index.cut_off) == (edited, open_gop, False)


def test_cut_off(corpus, tmp_path):
    whole = corpus["faststart"].path.read_bytes()
    path = tmp_path / "t.mp4"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    index = index_of(path)
    assert index.cut_off
    assert index.exact
    assert 10 < len(index.pts) < 40


@pytest.mark.parametrize(
    ("times", "depth"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([0, 1, 2, 3], 0, id="in order"),
        pytest.param([0, 2, 1, 4, 3], 1, id="B frames"),
        pytest.param([0, 4, 2, 1, 3, 8, 6, 5, 7], 2, id="B frames that others need"),
        pytest.param([3, 2, 1, 0], 3, id="backwards"),
    ],
)
def test_reorder_depth(times, depth):
    assert _reorder_depth(times) == depth


def test_frames_that_a_decoder_would_not_wait_for(corpus):
    # A head that says how many frames are held back, and says too few.
    with av.open(str(corpus["h264, one keyframe"].path)) as container:
        stream = container.streams.video[0]
        context = SimpleNamespace(
            codec=stream.codec_context.codec,
            extradata=stream.codec_context.extradata,
            reorder_depth=1,
        )
        known = SimpleNamespace(codec_context=context)
        demuxed = SimpleNamespace(format=container.format, demux=lambda _: container.demux(stream))
        assert not read_packets(demuxed, known)[0].exact
        container.seek(0)
        context.reorder_depth = 2
        assert read_packets(demuxed, known)[0].exact


def packets_index(*kinds):
    """Of a made-up MP4 file with a packet for each kind: whole or partial."""

    class Packet(SimpleNamespace):
        def __bytes__(self):
            return bytes(9)

    packets = [
        Packet(
            size=9,
            pts=time,
            dts=time,
            is_corrupt=kind == "partial",
            is_keyframe=time == 0,
            is_discard=False,
        )
        for time, kind in enumerate(kinds)
    ]
    codec = SimpleNamespace(codec=SimpleNamespace(canonical_name="mjpeg"), extradata=None)
    container = SimpleNamespace(format=SimpleNamespace(name="mov,mp4"), demux=lambda _: packets)
    return read_packets(container, SimpleNamespace(codec_context=codec))


def test_partial_packet_at_the_end():
    index, whole = packets_index("whole", "whole", "partial")
    assert (index.cut_off, index.exact, index.pts, whole) == (True, True, (0, 1), 2)


def test_partial_packet_before_whole_ones():
    index, _ = packets_index("whole", "partial", "whole")
    assert (index.cut_off, index.exact) == (False, False)
