"""Videos whose packets are not their frames, or whose decoder complains though all is sound."""

import random

import numpy as np
import pytest
from encoded_videos import decode_all, decode_past_errors, read_number

from glore_video.video import open_video, read_index


@pytest.fixture(scope="module")
def shown(odd):
    """Frames by sequential decoding with PyAV, past what it complains of."""
    return {name: decode_past_errors(video.path) for name, video in odd.items()}


def test_videos_are_what_they_say(odd, shown):
    # Guards the tests below.
    for name, video in odd.items():
        numbers = [read_number(frame) for frame in shown[name]]
        assert numbers == (video.numbers or list(range(numbers[0], 100))), name


def test_frames_are_counted_as_they_are_shown(odd, shown, backend):
    for name, video in odd.items():
        with open_video(video.path, backend=backend) as reader:
            assert reader.num_frames == len(shown[name]), name
            assert reader.fps == video.fps, name
            assert np.array_equal(reader.frames(range(reader.num_frames)), shown[name]), name


def test_index_says_what_the_reader_does(odd, shown):
    for name, video in odd.items():
        for decode in (False, True):
            index = read_index(video.path, decode=decode)
            found = (index.num_frames, index.fps, index.damage, index.packets.exact)
            assert found == (len(shown[name]), video.fps, "", video.exact), name


def test_a_frame_does_not_depend_on_what_else_is_asked(odd, shown, backend):
    # Of a reader that was just opened, and of one that has read before.
    for name, video in odd.items():
        frames = shown[name]
        draw = random.Random(name)
        index = read_index(video.path)
        with open_video(video.path, backend=backend) as reader:
            for i in draw.sample(range(len(frames)), 6):
                assert np.array_equal(reader.frames([i])[0], frames[i]), (name, i)
        for size in (1, 1, 3, 8):
            wanted = draw.choices(range(len(frames)), k=size)
            with open_video(video.path, backend=backend, index=index) as reader:
                read = reader.frames(wanted).numpy()
            for i, frame in zip(wanted, read, strict=True):
                assert np.array_equal(frame, frames[i]), (name, i, wanted)


@pytest.mark.parametrize("wanted", [[30], [6], [20, 3, 39], list(range(40))])
def test_packets_that_are_not_the_frames_after_all(odd, monkeypatch, wanted):
    # As a codec would do of which nothing is known: found out on the way, for the whole request.
    name = "fields, mp4"
    frames = decode_all(odd[name].path)
    monkeypatch.setattr("glore_video.video.packet_index.look_for", lambda *_, **__: lambda *_: 7)
    with open_video(odd[name].path) as reader:
        assert (reader.num_frames, reader.fps) == (80, 50)  # the fault that is looked for
        with pytest.raises(IndexError):
            reader.frames([80])
        read = reader.frames(wanted).numpy()
    for i, frame in zip(wanted, read, strict=True):
        assert np.array_equal(frame, frames[i])
