"""What counts as damage: no frame of a damaged file passes as whole, and none of a sound one is lost."""

import random
import threading
from contextlib import suppress

import av
import numpy as np
import pytest
from encoded_videos import decode_all, encode, rgb
from video_corpus import X265

from glore_video.video import VideoError, open_video, read_index
from glore_video.video.decoder_messages import listening
from glore_video.video.decoding import PacketDecoder, decode_in_order
from glore_video.video.pyav_file import open_container

CODECS = {"h264": ("libx264", {"preset": "veryfast"}), "hevc": ("libx265", X265)}


@pytest.fixture(scope="module", params=CODECS)
def whole(request, tmp_path_factory):
    """A video with three GOPs, its frames, and (place, bytes) of its packets."""
    codec, options = CODECS[request.param]
    path = tmp_path_factory.mktemp("whole") / "a.mp4"
    encode(path, codec, numbers=range(30), size=(128, 192), gop=10, b_frames=2, options=options)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    return path, decode_all(path), places


@pytest.mark.parametrize("zeros", [False, True], ids=["overwritten", "zeroed"])
@pytest.mark.parametrize("seed", range(20))
def test_no_frame_of_a_damaged_video_passes_as_whole(whole, tmp_path, seed, zeros):
    source, expected, places = whole
    at, size = random.Random(seed).choice(places[1:])  # not where encoders write about themselves
    data = bytearray(source.read_bytes())
    end = at + min(size, 46)
    if zeros:
        data[min(at + 20, end - 4) : end] = bytes(end - min(at + 20, end - 4))
    else:
        data[at + 6 : end] = bytes(byte ^ 255 for byte in data[at + 6 : end])
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    index = read_index(path, decode=True)
    assert index.damage
    refused = 0
    with open_video(path, damaged="use_prefix") as video:
        for i in range(video.num_frames):
            if i >= video.num_frames:
                break
            try:
                frame = video.frames([i])[0].numpy()
            except VideoError:
                refused += 1
                continue
            assert np.array_equal(frame, expected[i]), i
        assert refused or video.num_frames < 30
    with open_video(path, index=index, damaged="use_prefix") as video:
        frames = video.frames(range(video.num_frames)).numpy()
        assert np.array_equal(frames, expected[: len(frames)])


def test_a_picture_that_ends_early_is_damage(tmp_path):
    # A slice that says it is over before its picture is: the decoder paints the rest, and is content.
    path = encode(tmp_path / "a.264", numbers=range(4), gop=1, options={"x264-params": "slices=2"})
    data = path.read_bytes()
    slices = data.split(b"\0\0\1")
    idr = [i for i, unit in enumerate(slices) if unit[:1] == b"\x65"]
    del slices[idr[5]]  # the lower half of the third picture
    path.write_bytes(b"\0\0\1".join(slices))
    assert len(decode_all(path)) == 4
    index = read_index(path, decode=True)
    assert index.num_frames == 2
    assert index.damage.startswith("decoding fails after 2 frames")


class Told:
    """A packet whose decoder says and raises what it is told to, and yields a frame at its time."""

    def __init__(self, pts, *messages, keyframe=False, discard=False, error=False):
        self.pts, self.is_keyframe, self.is_discard = pts, keyframe, discard
        self.messages, self.error = messages, error

    def __bytes__(self):
        return b"\0\0\0\3\x41\x9a\x80"  # no IDR picture

    def decode(self):
        for message in self.messages:
            av.logging.log(av.logging.ERROR, "h264", message)
        if self.error:
            raise av.error.InvalidDataError(1, "failed")
        frame = av.VideoFrame(16, 16, "yuv420p")
        frame.pts = self.pts
        return [frame]


SHORT, BROKEN, SEI = (
    "mmco: unref short failure",
    "error while decoding MB 1 2",
    "SEI type 5 truncated",
)


@pytest.mark.parametrize(
    ("lenient", "packets", "times"),
    [
        pytest.param(
            False, [Told(0, keyframe=True), Told(1, SEI)], [0, 1], id="strict, not raised"
        ),
        pytest.param(
            False, [Told(0, keyframe=True), Told(1, error=True)], None, id="strict, raised"
        ),
        pytest.param(True, [Told(0, keyframe=True), Told(1, SEI)], [0, 1], id="SEI"),
        pytest.param(True, [Told(0, keyframe=True), Told(1, BROKEN)], None, id="picture"),
        pytest.param(True, [Told(0, keyframe=True), Told(1, error=True)], None, id="no reason"),
        pytest.param(
            True, [Told(0, keyframe=True), Told(1, "no frame!", error=True)], [0], id="no picture"
        ),
        pytest.param(
            False, [Told(0, error=True), Told(1, keyframe=True)], [1], id="before the first"
        ),
        pytest.param(
            False, [Told(5, keyframe=True), Told(4, error=True), Told(6)], [5, 6], id="leading"
        ),
        pytest.param(
            True, [Told(5, keyframe=True), Told(6, SHORT)], [5, 6], id="from before a cut"
        ),
        pytest.param(
            True,
            [Told(5, keyframe=True), Told(9, keyframe=True), Told(10, SHORT)],
            None,
            id="not from before a cut",
        ),
        pytest.param(
            False,
            [
                Told(5, keyframe=True),
                Told(2, keyframe=True, discard=True),
                Told(1, error=True, discard=True),
                Told(6),
            ],
            [5, 2, 6],
            id="leading, second segment",
        ),
        pytest.param(
            False,
            [Told(5, keyframe=True), Told(2, keyframe=True), Told(1, error=True)],
            None,
            id="not hidden",
        ),
    ],
)
def test_what_is_passed_over(corpus, lenient, packets, times):
    container, stream = open_container(str(corpus["h264"].path), lenient=lenient)
    with container, listening() as told:
        decoder = PacketDecoder(stream, lenient=lenient)
        decoder.told = told
        if times is None:
            with pytest.raises(av.error.FFmpegError):
                [decoder.decode(packet) for packet in packets]
        else:
            shown = [frame.pts for packet in packets for frame in decoder.decode(packet)]
            assert shown == times


def test_frames_before_damage_are_whole(whole, tmp_path):
    source, expected, places = whole
    data = bytearray(source.read_bytes())
    at = places[15][0]
    data[at : at + 40] = bytes(40)
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    frames = []
    decoded = decode_in_order(str(path))
    with suppress(av.error.FFmpegError):
        frames.extend(rgb(frame) for frame in decoded)
    assert 5 < len(frames) <= 16
    assert np.array_equal(frames, expected[: len(frames)])


def test_listening_leaves_the_log_as_it_was(corpus):
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    heard = []

    def listen():
        for _ in range(200):
            with listening() as told:
                Told(0, SEI).decode()
            heard.extend(told)

    threads = [threading.Thread(target=listen) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [(av.logging.ERROR, "h264", SEI)] * 800
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before
