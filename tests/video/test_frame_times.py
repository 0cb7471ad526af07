from fractions import Fraction

import av
import pytest
from encoded_videos import encode
from video_corpus import IRREGULAR, VPX

from glore_video.video import open_video, read_index
from glore_video.video.frame_times import FrameTimes, shown_rate

MS = Fraction(1, 1000)
NTSC = Fraction(30000, 1001)
# Ten frames in the first second, one at 4 s, one at 5 s: twelve in 5 + 5/11 s.
PAUSE = FrameTimes(12, Fraction(11, 5), (*range(0, 1000, 100), 4000, 5000), MS)


def at_30(count):
    """Milliseconds at which frames are shown at 30 a second, as Matroska rounds them."""
    return tuple(round(1000 * k / 30) for k in range(count))


@pytest.mark.parametrize(
    ("seconds", "frame"),
    [
        (-1, 0),
        (0, 0),
        (0.05, 0),
        (0.1, 1),
        (0.95, 9),
        (3.99, 9),
        (4, 10),
        (4.9, 10),
        (5, 11),
        (9, 11),
    ],
)
def test_the_frame_that_is_shown_at_a_time(seconds, frame):
    assert PAUSE.shown_at(Fraction(str(seconds))) == frame


def test_times_of_frames():
    assert len(PAUSE) == 12
    assert [float(time) for time in PAUSE] == [*(k / 10 for k in range(10)), 4, 5]
    assert PAUSE[-1] == 5
    assert PAUSE[9:] == [Fraction(9, 10), 4, 5]
    assert PAUSE.duration == PAUSE.start_of(12) == Fraction(60, 11)
    assert not PAUSE.steady
    with pytest.raises(IndexError, match="frame 12 of a video of 12 frames"):
        PAUSE[12]
    assert PAUSE.first(10).duration == Fraction(9, 10) + Fraction(5, 11)


def test_times_without_stamps_follow_from_the_rate():
    times = FrameTimes(60, NTSC)
    assert times.steady
    assert times[30] == Fraction(1001, 1000)
    assert times.duration == Fraction(2002, 1000)
    assert [times.shown_at(times[k]) for k in (0, 29, 59)] == [0, 29, 59]


def test_stamps_that_were_rounded_tell_no_more_than_the_rate():
    times = FrameTimes(30, Fraction(30), at_30(30), MS)
    assert times.steady
    assert times[1] == Fraction(1, 30)
    assert [times.shown_at(Fraction(k, 30)) for k in range(30)] == list(range(30))


def test_stamps_near_the_rate_are_told_as_they_are():
    # 10 ms late each, a third of a frame.
    times = FrameTimes(3, Fraction(30), (0, 43, 77), MS)
    assert times.steady
    assert list(times) == [0, 43 * MS, 77 * MS]


@pytest.mark.parametrize(
    ("stamps", "stated", "rate"),
    [
        pytest.param(at_30(300), 30, Fraction(30), id="as stated"),
        pytest.param(at_30(300), 1000, Fraction(30), id="round, stated wrong"),
        pytest.param(at_30(300), None, Fraction(30), id="round, not stated"),
        pytest.param(
            tuple(round(1000 * k / NTSC) for k in range(900)), 30, NTSC, id="NTSC, stated as 30"
        ),
        pytest.param(PAUSE.stamps, 10, Fraction(11, 5), id="variable"),
        pytest.param((7,), 25, Fraction(25), id="one frame"),
        pytest.param((), 25, Fraction(25), id="no stamps"),
        pytest.param((), None, None, id="nothing"),
        pytest.param((0, 100, 200), 50, Fraction(10), id="fields counted as frames"),
    ],
)
def test_rate_of_the_frames_that_are_shown(stamps, stated, rate):
    assert shown_rate(stamps, MS, stated and Fraction(stated)) == rate


def test_played_at_a_constant_rate():
    played = PAUSE.played_at(Fraction(2))
    assert (len(played), played.fps) == (11, 2)  # 5.45 s
    assert played.frames(range(11)) == [0, 5, 9, 9, 9, 9, 9, 9, 10, 10, 11]
    assert [float(played.seconds(place)) for place in (0, 3)] == [0, 1.5]
    assert played.seconds(11) == PAUSE.duration
    assert [played.place(Fraction(str(s))) for s in (0, 0.4, 0.5, 5.1, 99)] == [0, 0, 1, 10, 10]


def test_frames_are_counted_where_no_rate_is_wanted():
    played = PAUSE.played_at(None)
    assert (len(played), played.fps) == (12, Fraction(11, 5))
    assert played.frames([0, 11]) == [0, 11]
    assert played.seconds(10) == 4
    assert played.place(Fraction(4)) == 10


def test_a_constant_rate_is_played_as_it_is():
    played = FrameTimes(30, Fraction(25), at_30(0)).played_at(Fraction(30))
    assert (len(played), played.fps) == (30, 25)
    assert played.frames([3, 29]) == [3, 29]
    assert played.seconds(25) == 1


IRREGULAR_SECONDS = [Fraction(time, 30) for time in IRREGULAR]
# MPEG-PS has no variable rate, raw streams no times.
CONTAINERS = {
    "mp4": {},
    "mkv": {},
    "ts": {},
    "flv": {},
    "webm": {"codec": "libvpx", "options": VPX},
    "avi, no B frames": {"codec": "mpeg4", "b_frames": 0},
    "avi": {},
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_times_are_those_of_the_stamps(tmp_path, backend, container):
    ending = container.split(",")[0]
    how = {"b_frames": 2, "times": IRREGULAR, **CONTAINERS[container]}
    path = encode(tmp_path / f"v.{ending}", **how)
    # AVI does not tell the order of its frames: a time may be that of a neighbour.
    tolerance = 0.14 if container == "avi" else 0.0011
    index = read_index(path)
    with open_video(path, backend=backend) as video:
        assert [float(time) for time in video.times] == pytest.approx(
            [float(time) for time in IRREGULAR_SECONDS], abs=tolerance
        )
        assert float(video.fps) == pytest.approx(39 / (107 / 30), rel=tolerance / 2)
        assert float(video.times.duration) == pytest.approx(107 / 30 * 40 / 39, abs=tolerance)
        assert index.duration == float(video.times.duration)
        assert list(index.times) == list(video.times)
    again = type(index).from_bytes(index.to_bytes())
    assert list(again.times) == list(index.times)


def test_a_stated_rate_that_lies(tmp_path):
    """As recorders in browsers write WebM: milliseconds as the rate."""
    path = tmp_path / "v.webm"
    encode(path, "libvpx-vp9", times=[33 * k for k in range(40)], rate=1000, options=VPX)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate > 100
    with open_video(path) as video:
        assert float(video.fps) == pytest.approx(1000 / 33)
        assert float(video.times.duration) == pytest.approx(40 * 0.033)


def test_times_beyond_64_bits():
    base = Fraction(2**40 + 1, 2**60)
    times = FrameTimes(3, 1 / base, (0, 1, 2), base)
    assert times.steady
    assert not FrameTimes(3, 1 / base, (0, 1, 2**30), base).steady
    assert FrameTimes(1, Fraction(2**70), (2**40,), base).steady


def test_a_prefix_has_its_own_times(corpus, damaged):
    path, _ = damaged["MPEG-TS, cut off"]
    with open_video(path, damaged="use_prefix") as video:
        assert len(video.times) == video.num_frames < 40
        assert video.times.duration == Fraction(video.num_frames, 30)


def test_constant_rates_keep_to_their_header(corpus):
    for name, encoded in corpus.items():
        index = read_index(encoded.path)
        if name != "variable rate":
            assert index.times.steady, name
            assert list(index.times) == [k / encoded.fps for k in range(index.num_frames)], name
