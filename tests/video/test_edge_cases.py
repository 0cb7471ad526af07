"""Every backend on every file: the frames of sequential decoding, or VideoError, and in time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from encoded_videos import decode_all, encode, read_number
from video_corpus import UNREADABLE, write_unreadable

from glore_video.video import open_video, read_index

TIME_LIMIT = 120  # seconds for all files of a backend, on a machine that is busy


def read(backend, folder, listing, *, seconds=TIME_LIMIT):
    """What read_corpus.py finds, as name -> outcome."""
    path = folder / "listing.json"
    path.write_text(json.dumps(listing), encoding="utf-8")
    script = Path(__file__).parents[1] / "helpers" / "read_corpus.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), backend, str(path)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("decord", "torchcodec")]


@pytest.mark.parametrize("backend", ["pyav", *SLOW], indirect=True)
def test_every_file(corpus, damaged, tmp_path, backend):
    listing = {
        name: (str(video.path), str(video.path), video.turn, "error")
        for name, video in corpus.items()
    }
    for what in UNREADABLE:
        path = str(write_unreadable(tmp_path, what))
        listing[what] = (path, path, 0, "error")
    for name, (path, was) in damaged.items():
        for policy in ("error", "use_prefix"):
            listing[f"{name}, {policy}"] = (str(path), str(was.path), was.turn, policy)

    outcomes = read(backend, tmp_path, listing)

    assert {name: outcomes[name] for name in corpus} == dict.fromkeys(corpus, "equal")
    for what, reason in UNREADABLE.items():
        assert outcomes[what].startswith(f"VideoError: {reason}"), what
    wrong = {name: found for name, found in outcomes.items() if found.startswith("WRONG")}
    assert wrong == {}
    cut = "VideoError: the file is cut off; "
    for name in ("faststart", "mkv", "mpeg4 avi", "mpeg4 avi, B frames"):
        assert outcomes[f"{name}, cut off, error"].startswith(cut), name
        assert outcomes[f"{name}, cut off, use_prefix"] == "equal", name


@pytest.mark.slow
def test_twenty_minutes(tmp_path, backend):
    numbers = [number % 4096 for number in range(20 * 60 * 10)]
    path = encode(tmp_path / "long.mp4", numbers=numbers, size=(32, 96), rate=10, gop=250)
    wanted = [11999, 0, 6001, 249, 250, 11999, 5000]
    with open_video(path, backend=backend) as video:
        assert video.num_frames == 12000
        frames = video.frames(wanted).numpy()
    assert [read_number(frame) for frame in frames] == [numbers[i] for i in wanted]
    index = read_index(path)
    assert len(index.to_bytes()) < 1000
    assert index.duration == 1200


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["-ss", "0.5", "-i", "SOURCE", "-c", "copy", "cut.mp4"],
        ["-ss", "0.5", "-i", "SOURCE", "-c", "copy", "cut.mkv"],
        ["-i", "SOURCE", "-vf", "select=not(mod(n\\,3))", "-fps_mode", "vfr", "vfr.mp4"],
        ["-display_rotation", "90", "-i", "SOURCE", "-c", "copy", "-f", "mov", "turned.mov"],
        ["-i", "SOURCE", "-c", "copy", "-movflags", "frag_keyframe+empty_moov", "fragmented.mp4"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_files_that_ffmpeg_makes(corpus, tmp_path, backend, arguments):
    source = str(corpus["h264"].path)
    command = [source if argument == "SOURCE" else argument for argument in arguments]
    made = subprocess.run(["ffmpeg", "-v", "error", *command], cwd=tmp_path, check=False)
    if made.returncode:
        pytest.skip("this ffmpeg lacks an option")
    path = tmp_path / command[-1]
    stored = decode_all(path)
    with open_video(path, backend=backend) as video:
        frames = video.frames(range(video.num_frames)).numpy()
    turn = "turned" in path.name
    assert np.array_equal(frames, [np.rot90(frame, turn) for frame in stored])
