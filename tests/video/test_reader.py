import os
import pickle
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from encoded_videos import decode_all, encode, encode_with_text, picture, read_number, rgb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video_corpus import write_unreadable

from glore_video.video import VideoError, open_video, read_index

KINETICS_TINY = Path(__file__).parents[3] / "shared" / "kinetics_tiny" / "videos"


def numbers_of(frames: torch.Tensor) -> list[int]:
    return [read_number(frame) for frame in frames.numpy()]


def test_frame_rates(corpus, backend):
    for name, encoded in corpus.items():
        with open_video(encoded.path, backend=backend) as video:
            if name == "variable rate":
                assert float(video.fps) == pytest.approx(30 * 39 / 107, rel=0.1)
            else:
                assert video.fps == encoded.fps, name


@pytest.mark.parametrize("name", ["h264", "h264, one keyframe", "mpeg4 avi, B frames", "edit list"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_indices_in_any_order_with_repeats(corpus, backend, name, data):
    encoded = corpus[name]
    indices = data.draw(st.lists(st.integers(0, len(encoded.numbers) - 1), min_size=1, max_size=12))
    with open_video(encoded.path, backend=backend) as video:
        for part in (indices, indices[::-1], indices[:1]):
            assert numbers_of(video.frames(part)) == [encoded.numbers[i] for i in part]


def test_indices_may_be_any_integers(corpus, backend):
    with open_video(str(corpus["h264"].path), backend=backend) as video:
        assert numbers_of(video.frames(np.array([3, 1]))) == [3, 1]
        assert numbers_of(video.frames(torch.tensor([3, 1]))) == [3, 1]
        assert video.frames([]).shape == (0, 64, 96, 3)
        with pytest.raises(TypeError):
            video.frames([1.5])


@pytest.mark.parametrize("index", [-1, 40, 1000])
def test_index_outside_the_video(corpus, backend, index):
    with (
        open_video(corpus["h264"].path, backend=backend) as video,
        pytest.raises(IndexError, match=f"a.mp4: frame {index} of a video of 40 frames"),
    ):
        video.frames([0, index])


def test_closed_reader(corpus, backend):
    with open_video(corpus["h264"].path, backend=backend) as video:
        pass
    with pytest.raises(ValueError, match=r"a\.mp4: the reader is closed"):
        video.frames([0])
    video.close()


def test_unknown_backend(corpus):
    with pytest.raises(ValueError, match="one of 'pyav', 'decord', 'torchcodec', got 'opencv'"):
        open_video(corpus["h264"].path, backend="opencv")


@pytest.mark.parametrize("rotation", [90, 180, -90])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_rotation(tmp_path, backend, rotation, ending):
    # The display matrix turns counter-clockwise, as np.rot90 does.
    path = encode(tmp_path / f"turned.{ending}", numbers=[5, 6], rotation=rotation)
    expected = np.stack([np.rot90(frame, rotation // 90) for frame in decode_all(path)])
    with open_video(path, backend=backend) as video:
        assert (video.height, video.width) == expected.shape[1:3]
        frames = video.frames([0, 1]).numpy()
    assert np.array_equal(frames, expected)
    upright = np.rot90(frames[1], -rotation // 90)
    assert np.abs(upright.astype(int) - picture(6)).mean() < 12


def test_unreadable_file_is_named(tmp_path, backend):
    path = write_unreadable(tmp_path, "text")
    with pytest.raises(VideoError) as caught:
        open_video(path, backend=backend)
    assert caught.value.path == str(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipe_is_not_waited_for(tmp_path, backend):
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    with pytest.raises(VideoError, match="is not a regular file"):
        open_video(path, backend=backend)


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(VideoError(Path("a b.mp4"), "no such file")))
    assert isinstance(error, VideoError)
    assert (error.path, error.reason) == ("a b.mp4", "no such file")
    assert str(error) == "a b.mp4: no such file"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_no_file_stays_open(corpus, tmp_path, backend):
    broken = [write_unreadable(tmp_path, what) for what in ("text", "sound")]
    paths = [corpus[name].path for name in ("h264", "MPEG-TS", "mpeg4 avi, B frames")]

    def use_all() -> int:
        for path in paths:
            with open_video(path, backend=backend) as video:
                video.frames([20, 3])
        for path in broken:
            with pytest.raises(VideoError):
                open_video(path, backend=backend)
        return len(os.listdir("/proc/self/fd"))

    before = use_all()
    for _ in range(10):
        after = use_all()
    assert after == before


@pytest.mark.skipif(not KINETICS_TINY.is_dir(), reason="no Kinetics clips beside the checkout")
@pytest.mark.parametrize(
    ("name", "num_frames"),
    [
        ("arm wrestling.mp4", 280),
        ("cleaning_pool.mp4", 300),
        ("dribbling_basketball.mp4", 300),
        ("filling_eyebrows.avi", 164),
    ],
)
def test_kinetics_clips(backend, name, num_frames):
    wanted = [100, 8, 16, 163, 8]
    expected = {}
    with av.open(str(KINETICS_TINY / name)) as container:
        for number, frame in zip(range(164), container.decode(video=0), strict=False):
            if number in wanted:
                expected[number] = rgb(frame)
    with open_video(KINETICS_TINY / name, backend=backend) as video:
        assert video.num_frames == num_frames
        frames = video.frames(wanted).numpy()
    for frame, number in zip(frames, wanted, strict=True):
        assert np.array_equal(frame, expected[number])


def test_corpus_is_what_it_says(corpus, oracle):
    # Guards the tests above: the barcode must tell every frame of the oracle.
    assert [read_number(picture(n)) for n in (0, 1, 77, 4095)] == [0, 1, 77, 4095]
    for name, encoded in corpus.items():
        stored = [np.rot90(frame, -encoded.turn // 90) for frame in oracle[name]]
        assert [read_number(frame) for frame in stored] == encoded.numbers, name


LATIN_1, NO_TEXT = "Café, größer".encode("latin-1"), bytes(range(128, 140))


@pytest.mark.parametrize("text", [LATIN_1, NO_TEXT], ids=["latin-1", "no text"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
def test_text_that_is_not_utf_8_stops_no_read(tmp_path, name, text, backend):
    path = encode_with_text(tmp_path / name, text)
    assert text in path.read_bytes()
    with open_video(path, backend=backend, index=read_index(path, decode=True)) as video:
        frames = video.frames(range(5)).numpy()
    assert [read_number(frame) for frame in frames] == [0, 1, 2, 3, 4]
