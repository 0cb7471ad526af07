import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from encoded_videos import (
    copy_from_keyframe,
    cut_by_copy,
    decode_all,
    encode,
    encode_sound,
    picture,
    read_number,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glore_video.video import VideoError, open_video

BACKENDS = ["pyav", "decord"]
KINETICS_TINY = Path(__file__).parents[3] / "shared" / "kinetics_tiny" / "videos"


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "decord":
        pytest.importorskip("decord")
    return request.param


def numbers_of(frames: torch.Tensor) -> list[int]:
    return [read_number(frame) for frame in frames.numpy()]


def test_every_video_shows_what_sequential_decoding_shows(corpus, oracle, backend):
    for name, encoded in corpus.items():
        with open_video(encoded.path, backend=backend) as video:
            assert video.num_frames == len(encoded.numbers) == len(oracle[name]), name
            assert (video.height, video.width) == oracle[name][0].shape[:2], name
            frames = video.frames(range(video.num_frames))
        assert frames.dtype == torch.uint8
        assert frames.is_contiguous()
        assert numbers_of(frames) == encoded.numbers, name
        assert np.array_equal(frames.numpy(), np.stack(oracle[name])), name


def test_frame_rates(corpus, backend):
    for name, encoded in corpus.items():
        with open_video(encoded.path, backend=backend) as video:
            if name == "variable rate":
                assert float(video.fps) == pytest.approx(30 * 39 / 107, rel=0.1)
            else:
                assert video.fps == encoded.fps, name


@pytest.mark.parametrize("name", ["h264", "h264, one keyframe", "mpeg4 avi, B frames", "edit list"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_indices_in_any_order_with_repeats(corpus, backend, name, data):
    encoded = corpus[name]
    indices = data.draw(st.lists(st.integers(0, len(encoded.numbers) - 1), min_size=1, max_size=12))
    with open_video(encoded.path, backend=backend) as video:
        for part in (indices, indices[::-1], indices[:1]):
            assert numbers_of(video.frames(part)) == [encoded.numbers[i] for i in part]


def test_single_frames_equal_sequential_decoding(corpus, oracle, backend):
    for name, encoded in corpus.items():
        count = len(encoded.numbers)
        with open_video(encoded.path, backend=backend) as video:
            for index in (count - 1, count // 2, 0, count * 3 // 4):
                frame = video.frames([index])[0].numpy()
                assert np.array_equal(frame, oracle[name][index]), (name, index)


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


def unreadable(folder: Path, what: str) -> Path:
    path = folder / "é b.mp4"
    if what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("not a video\n" * 100)
    elif what == "sound":
        encode_sound(path)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "no moov":
        whole = encode(folder / "whole.mp4").read_bytes()
        path.write_bytes(whole[: len(whole) * 6 // 10])
    return path


UNREADABLE = {
    "missing": "no such file",
    "empty": "the file is empty",
    "folder": "is a folder, not a file",
    "text": "can't be opened as video: Invalid data",
    "sound": "has no video stream",
    "pipe": "is not a regular file",
    "no moov": "can't be opened as video: Invalid data",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_unreadable_files(tmp_path, backend, what):
    path = unreadable(tmp_path, what)
    with pytest.raises(VideoError, match=UNREADABLE[what]) as caught:
        open_video(path, backend=backend)
    assert caught.value.path == str(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(VideoError(Path("a b.mp4"), "no such file")))
    assert isinstance(error, VideoError)
    assert (error.path, error.reason) == ("a b.mp4", "no such file")
    assert str(error) == "a b.mp4: no such file"


@pytest.mark.parametrize(
    ("name", "file", "kept"),
    [
        ("faststart", "t.mp4", 0.6),
        ("mkv", "t.mkv", 0.6),
        ("mpeg4 avi", "t.avi", 0.85),
        ("MPEG-TS", "t.ts", 0.6),
    ],
)
def test_truncated_file_has_the_frames_that_are_whole(
    corpus, oracle, tmp_path, backend, name, file, kept
):
    whole = corpus[name].path.read_bytes()
    path = tmp_path / file
    path.write_bytes(whole[: int(len(whole) * kept)])
    with open_video(path, backend=backend, damaged="use_prefix") as video:
        assert 10 < video.num_frames < 40
        frames = video.frames(range(video.num_frames))
        last = video.frames([video.num_frames - 1])
    assert torch.equal(last[0], frames[-1])
    if name == "MPEG-TS":  # does not tell that its last packet is not whole
        frames = frames[:-1]
    numbers = numbers_of(frames)
    # The last frames shown may lack some before them, which were stored after them.
    assert numbers == sorted(set(numbers))
    assert numbers[:10] == list(range(10))
    for frame, number in zip(frames.numpy(), numbers, strict=True):
        assert np.array_equal(frame, oracle[name][number])


def test_damage_is_reported_and_does_not_reach_further(corpus, oracle, tmp_path, backend):
    data = bytearray(corpus["h264"].path.read_bytes())
    # Packets of the second group of pictures, frames 12 to 23, lie around the middle.
    middle = len(data) * 2 // 5
    data[middle : middle + 600] = bytes(600)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with open_video(path, backend=backend) as video:
        assert video.num_frames == 40
        assert np.array_equal(video.frames([3, 0])[1].numpy(), oracle["h264"][0])
        assert np.array_equal(video.frames([39])[0].numpy(), oracle["h264"][39])
        with pytest.raises(VideoError, match=r"only \d+ of 40 frames can be decoded: Invalid"):
            video.frames(range(40))
        assert np.array_equal(video.frames([2])[0].numpy(), oracle["h264"][2])


def test_frames_of_another_size_are_an_error(tmp_path, backend):
    small = encode(tmp_path / "a.ts", numbers=range(5)).read_bytes()
    large = encode(tmp_path / "b.ts", numbers=range(5), size=(96, 128)).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(small + large)
    with (
        open_video(path, backend=backend) as video,
        pytest.raises(VideoError, match="has 128x96 pixels, earlier ones 96x64"),
    ):
        video.frames(range(video.num_frames))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_no_file_stays_open(corpus, tmp_path, backend):
    broken = [unreadable(tmp_path, what) for what in ("text",)]
    broken.append(encode_sound(tmp_path / "sound.mp4"))
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


@pytest.mark.slow
def test_importing_the_package_imports_no_decoder():
    code = "import sys, glore_video.video; print({'av', 'decord'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_cutting_at_a_keyframe(corpus, tmp_path, backend):
    path = cut_by_copy(corpus["h264"].path, tmp_path / "cut.mp4", first=12)
    with open_video(path, backend=backend) as video:
        assert numbers_of(video.frames(range(video.num_frames))) == list(range(12, 40))


@pytest.mark.parametrize("name", ["open GOP", "hevc", "mpeg4 avi, B frames"])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_starting_with_frames_that_lack_their_references(corpus, tmp_path, backend, name, ending):
    path = copy_from_keyframe(corpus[name].path, tmp_path / f"late.{ending}", which=1)
    expected = decode_all(path)
    with open_video(path, backend=backend) as video:
        assert video.num_frames == len(expected)
        for index in (len(expected) - 1, 0, 1, 2, 3, 13):
            assert np.array_equal(video.frames([index])[0].numpy(), expected[index])


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
def test_kinetics_clips(name, num_frames):
    wanted = [100, 8, 16, 163, 8]
    expected = {}
    with av.open(str(KINETICS_TINY / name)) as container:
        for number, frame in zip(range(164), container.decode(video=0), strict=False):
            if number in wanted:
                expected[number] = frame.to_ndarray(format="rgb24")
    for backend in BACKENDS if find_spec("decord") else BACKENDS[:1]:
        with open_video(KINETICS_TINY / name, backend=backend) as video:
            assert video.num_frames == num_frames
            frames = video.frames(wanted).numpy()
        for frame, number in zip(frames, wanted, strict=True):
            assert np.array_equal(frame, expected[number])


def test_corpus_is_what_it_says(corpus, oracle):
    # Guards the tests above: the barcode must tell every frame of the oracle.
    assert [read_number(picture(n)) for n in (0, 1, 77, 4095)] == [0, 1, 77, 4095]
    for name, encoded in corpus.items():
        assert [read_number(frame) for frame in oracle[name]] == encoded.numbers, name
