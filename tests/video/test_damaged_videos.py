import av
import numpy as np
import pytest
from encoded_videos import copy_from_keyframe, cut_by_copy, decode_all, encode, read_number
from rewritten_videos import join_by_copy
from video_corpus import VIDEOS

from glore_video.video import VideoError, open_video, pyav_backend, read_index
from glore_video.video.decoding import PacketDecoder
from glore_video.video.promised_size import is_cut_off

INVALID = "Invalid data found when processing input"


def truncated(corpus, folder, name, kept):
    """The first part of a video, a fraction of its bytes."""
    source = corpus[name].path
    path = folder / f"cut{source.suffix}"
    path.write_bytes(source.read_bytes()[: int(source.stat().st_size * kept)])
    return path


def hole_in(corpus, folder, name="h264"):
    """A video with zeros in the 17th packet and what follows, about frame 16."""
    source = corpus[name].path
    with av.open(str(source)) as container:
        at = [packet.pos for packet in container.demux(video=0) if packet.size][16] + 8
    data = bytearray(source.read_bytes())
    data[at : at + 300] = bytes(300)
    path = folder / f"damaged{source.suffix}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "kept"),
    [("faststart", 0.6), ("mkv", 0.6), ("mpeg4 avi", 0.85), ("mpeg4 avi, B frames", 0.85)],
)
def test_cut_off_file(corpus, oracle, tmp_path, backend, name, kept):
    path = truncated(corpus, tmp_path, name, kept)
    with open_video(path, backend=backend, damaged="use_prefix") as video:
        count = video.num_frames
        frames = video.frames(range(count)).numpy()
        with pytest.raises(IndexError):
            video.frames([count])
    assert 10 < count < 40
    # Frames that lie before the cut may be shown after some that are lost: these don't count.
    assert np.array_equal(frames, oracle[name][:count])
    with pytest.raises(VideoError, match=f"the file is cut off; {count} frames are whole"):
        open_video(path, backend=backend)


@pytest.mark.parametrize("name", ["faststart", "mkv"])
def test_cut_between_two_packets(corpus, tmp_path, name):
    source = corpus[name].path
    with av.open(str(source)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
    path = tmp_path / f"cut{source.suffix}"
    path.write_bytes(source.read_bytes()[: sorted(ends)[24]])
    with pytest.raises(VideoError, match=r"the file is cut off; 2[0-5] frames are whole"):
        open_video(path)


def test_nothing_whole(corpus, tmp_path, backend):
    whole = corpus["faststart"].path.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: whole.index(b"mdat") + 40])
    for damaged in ("error", "use_prefix"):
        with pytest.raises(VideoError, match="no frame can be decoded|no frame is whole"):
            open_video(path, backend=backend, damaged=damaged)


def test_file_without_end_that_tells_nothing(corpus, tmp_path, backend):
    # MPEG-TS has no table of contents: what is left of it is a video, but for its last frame.
    path = truncated(corpus, tmp_path, "MPEG-TS", 0.6)
    with open_video(path, backend=backend, damaged="use_prefix") as video:
        frames = video.frames(range(video.num_frames)).numpy()
    assert 10 < len(frames) < 40
    assert [read_number(frame) for frame in frames[:-1]] == list(range(len(frames) - 1))


def test_damage_is_reported_and_does_not_reach_further(corpus, oracle, tmp_path, backend):
    path = hole_in(corpus, tmp_path)
    with open_video(path, backend=backend) as video:
        assert video.num_frames == 40
        assert np.array_equal(video.frames([3, 0])[1].numpy(), oracle["h264"][0])
        assert np.array_equal(video.frames([39])[0].numpy(), oracle["h264"][39])
        with pytest.raises(VideoError, match=r"only 1\d of 40 frames can be decoded: Invalid"):
            video.frames(range(40))
        assert np.array_equal(video.frames([2])[0].numpy(), oracle["h264"][2])
        assert video.num_frames == 40


def test_prefix_ends_where_damage_was_met(corpus, oracle, tmp_path, backend):
    with open_video(hole_in(corpus, tmp_path), backend=backend, damaged="use_prefix") as video:
        assert video.num_frames == 40
        with pytest.raises(VideoError, match=r"only 1\d of 40 frames can be decoded: Invalid"):
            video.frames([20])
        count = video.num_frames
        assert 10 <= count <= 20
        assert np.array_equal(video.frames(range(count)).numpy(), oracle["h264"][:count])


@pytest.mark.parametrize("name", ["h264", "mpeg4 avi, B frames"])
def test_index_of_a_video_that_was_decoded_tells_its_damage(
    corpus, oracle, tmp_path, backend, name
):
    path = hole_in(corpus, tmp_path, name)
    index = read_index(path, decode=True)
    assert index.decoded
    assert 3 < index.num_frames < 20
    assert index.damage == f"decoding fails after {index.num_frames} frames: {INVALID}"
    with pytest.raises(VideoError, match=f"{INVALID}; {index.num_frames} frames are whole"):
        open_video(path, backend=backend, index=index)
    with open_video(path, backend=backend, index=index, damaged="use_prefix") as video:
        assert video.num_frames == index.num_frames
        frames = video.frames(range(video.num_frames)).numpy()
    assert np.array_equal(frames, oracle[name][: index.num_frames])


def test_damage_in_the_picture_is_not_painted_over(corpus, tmp_path):
    # Bytes inverted in the middle of the first keyframe: its head is whole, and decoders go on.
    path = tmp_path / "a.mp4"
    data = corpus["h264, one keyframe"].path.read_bytes()
    at = data.index(b"mdat") + 1000
    path.write_bytes(data[:at] + bytes(255 - byte for byte in data[at : at + 40]) + data[at + 40 :])
    assert len(decode_all(path)) == 40
    with open_video(path) as video, pytest.raises(VideoError, match="only 0 of 40 frames"):
        video.frames([20])


def test_frame_that_is_marked_corrupt_is_decoded_again(corpus, oracle, monkeypatch):
    class Corrupt:
        is_corrupt = True

        def __init__(self, frame):
            self.pts, self.pict_type = frame.pts, frame.pict_type

    decode = PacketDecoder.decode

    def mark(self, packet):
        return [Corrupt(frame) for frame in decode(self, packet)]

    monkeypatch.setattr(PacketDecoder, "decode", mark)
    with open_video(corpus["h264"].path) as video:
        assert np.array_equal(video.frames([14])[0].numpy(), oracle["h264"][14])


@pytest.fixture(params=["h264", "hevc", "vp9", "MPEG-TS"])
def two_sizes(request, tmp_path):
    """Five frames of one size, then five of another, as calls on the net are recorded."""
    how = {key: VIDEOS[request.param].get(key, {}) for key in ("options",)}
    how["codec"] = VIDEOS[request.param].get("codec", "libx264")
    ending = "ts" if request.param in ("h264", "hevc", "MPEG-TS") else "mkv"
    small = encode(tmp_path / f"a.{ending}", numbers=range(5), **how)
    large = encode(tmp_path / f"b.{ending}", numbers=range(5, 10), size=(96, 128), **how)
    if request.param != "MPEG-TS":
        return join_by_copy([small, large], tmp_path / "joined.mkv")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    return joined


def test_frames_of_another_size_are_an_error(two_sizes, backend):
    with pytest.raises(VideoError, match="frame 5 has 128x96 pixels, earlier ones 96x64; 5 frames"):
        open_video(two_sizes, backend=backend)


def test_frames_before_another_size_are_whole(two_sizes, backend):
    index = read_index(two_sizes, decode=True)
    assert index.damage == "frame 5 has 128x96 pixels, earlier ones 96x64"
    for kept in (index, None):
        with open_video(two_sizes, backend=backend, index=kept, damaged="use_prefix") as video:
            frames = video.frames(range(video.num_frames)).numpy()
        assert [read_number(frame) for frame in frames] == list(range(5))


def test_cutting_at_a_keyframe(corpus, tmp_path, backend):
    path = cut_by_copy(corpus["h264"].path, tmp_path / "cut.mp4", first=12)
    with open_video(path, backend=backend) as video:
        frames = video.frames(range(video.num_frames)).numpy()
    assert [read_number(frame) for frame in frames] == list(range(12, 40))


@pytest.mark.parametrize("name", ["open GOP", "hevc", "mpeg4 avi, B frames"])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_starting_with_frames_that_lack_their_references(corpus, tmp_path, backend, name, ending):
    path = copy_from_keyframe(corpus[name].path, tmp_path / f"late.{ending}", which=1)
    expected = decode_all(path)
    with open_video(path, backend=backend) as video:
        assert video.num_frames == len(expected)
        for index in (len(expected) - 1, 0, 1, 2, 3, 13):
            assert np.array_equal(video.frames([index])[0].numpy(), expected[index])


FTYP = b"\0\0\0\x08ftyp"
EBML = b"\x1a\x45\xdf\xa3\x82ab"  # a header of two bytes


@pytest.mark.parametrize(
    ("data", "cut_off"),
    [
        (FTYP + b"\0\0\0\x0cmdatabcd", False),
        (FTYP + b"\0\0\0\x0cmdatabc", True),
        (FTYP + b"\0\0\0\0mdatabc", False),
        (FTYP + b"\0\0\0\x01mdat" + (20).to_bytes(8, "big") + b"abcd", False),
        (FTYP + b"\0\0\0\x01mdat" + (21).to_bytes(8, "big") + b"abcd", True),
        (FTYP + b"\0\0\0\x0cmdatabcd\0\0\0", False),
        (FTYP + b"\0\0\0\x0cmdatabcd\xff\xff\xff\xff\0\1\2\3", False),
        (b"\0\0\0\xffRIFF", False),
        (b"", False),
        (EBML + b"\x18\x53\x80\x67\x84abcd", False),
        (EBML + b"\x18\x53\x80\x67\x84abc", True),
        (EBML + b"\x18\x53\x80\x67\x40\x04abcd", False),
        (EBML + b"\x18\x53\x80\x67\x40\x05abcd", True),
        (EBML + b"\x18\x53\x80\x67\xffabc", False),
        (EBML + b"\x18\x53\x80\x67", False),
        (b"\x1a\x45\xdf\xa3\0", False),
    ],
    ids=[
        "MP4, whole",
        "MP4, a byte short",
        "MP4, to the end of the file",
        "MP4, long length, whole",
        "MP4, long length, a byte short",
        "MP4, less than the head of a box after it",
        "MP4, no box after it",
        "a box longer than RIFF",
        "empty",
        "Matroska, whole",
        "Matroska, a byte short",
        "Matroska, length of two bytes, whole",
        "Matroska, length of two bytes, a byte short",
        "Matroska, unknown length",
        "Matroska, no length",
        "Matroska, no header",
    ],
)
def test_promised_size(tmp_path, data, cut_off):
    path = tmp_path / "a"
    path.write_bytes(data)
    assert is_cut_off(str(path)) is cut_off


def test_a_file_that_goes_while_it_is_opened_is_unreadable(tmp_path, monkeypatch):
    file = tmp_path / "gone.mp4"
    encode(file, numbers=range(5))
    real = pyav_backend.open_container

    def open_and_lose(path, **options):
        opened = real(path, **options)
        file.unlink()
        return opened

    monkeypatch.setattr(pyav_backend, "open_container", open_and_lose)
    with pytest.raises(VideoError, match=r"gone\.mp4: No such file"):
        open_video(file)
