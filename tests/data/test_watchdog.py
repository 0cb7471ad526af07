"""A reader that never answers, or dies, costs one video and not the run."""

import contextlib
import os
import pickle
import re
import signal
import time
from pathlib import Path

import av  # noqa: F401  here, so that no time limit below has to wait for its import
import pytest
import torch
from encoded_videos import encode

from glore_video.data.loader import samples_loader, views_loader
from glore_video.data.samplers import TrainingBatches
from glore_video.data.video.video_list import VideoList
from glore_video.data.watchdog import Watchdog, is_timeout
from glore_video.errors import SampleError
from glore_video.pixels.augmentation import Framing
from glore_video.tasks.video_classification import dataset as video_dataset
from glore_video.tasks.video_classification.dataset import CentreClips, EvalViews, TrainingClips
from glore_video.video import ClipSampling, VideoError

SAMPLING = ClipSampling(num_frames=4, stride=3)
LIMIT = 1.0  # seconds; far more than these videos take


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Three videos; the reader hangs on the second, and on the fourth its process dies."""
    for name in ("a.mp4", "c.mp4"):
        encode(tmp_path / name, numbers=range(20))
    real = video_dataset.open_video

    def open_video(path, **options):
        if path.endswith("hangs.mp4"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM})
            while True:
                time.sleep(3600)
        if path.endswith("crashes.mp4"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, **options)

    monkeypatch.setattr(video_dataset, "open_video", open_video)
    names = ["a.mp4", "hangs.mp4", "c.mp4", "crashes.mp4"]
    return VideoList(tmp_path, [str(tmp_path / name) for name in names], [0, 1, 2, 3])


def test_call_answers_raises_and_goes_on():
    def read(action):
        if action == "hang":
            time.sleep(3600)
        if action == "die":
            os._exit(1)
        if action == "bad":
            raise VideoError("p", "bad")
        return os.getpid(), action

    watchdog = Watchdog(0.3)
    first, _ = watchdog.call(read, "p", "x")
    assert first != os.getpid()
    assert watchdog.call(read, "p", "y") == (first, "y")
    with pytest.raises(VideoError, match="^p: bad$"):
        watchdog.call(read, "p", "bad")
    assert watchdog.call(read, "p", "z") == (first, "z")

    start = time.monotonic()
    with pytest.raises(SampleError, match=r"^q: reading took longer than 0\.3 s and was") as e:
        watchdog.call(read, "q", "hang")
    assert 0.25 < time.monotonic() - start < 3
    assert is_timeout(e.value.reason)
    second, _ = watchdog.call(read, "p", "x")
    assert second != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)

    with pytest.raises(SampleError, match=r"^p: its decoder crashed \(exit status 1\)$") as e:
        watchdog.call(read, "p", "die")
    assert not is_timeout(e.value.reason)
    third, _ = watchdog.call(read, "p", "x")
    os.kill(third, signal.SIGKILL)
    os.waitid(os.P_PID, third, os.WEXITED | os.WNOWAIT)  # between two videos: no video's fault
    assert watchdog.call(read, "p", "y")[1] == "y"
    assert watchdog.call(max, "p", 3, 5) == 5
    watchdog.close()


def test_copies_start_their_own_process():
    watchdog = Watchdog(5)
    pid = watchdog.call(os.getpid, "p")
    copy = pickle.loads(pickle.dumps(watchdog))
    assert copy.seconds == 5
    assert copy.call(os.getpid, "p") not in (pid, os.getpid())
    copy.close()
    watchdog.close()


def test_late_answer_of_an_interrupted_call_is_not_the_next_ones(monkeypatch):
    def read(value, seconds):
        time.sleep(seconds)
        return value

    def interrupt(*_):
        raise KeyboardInterrupt

    watchdog = Watchdog(5)
    # Forks the child: an error raised while Python forks would be passed over.
    assert watchdog.call(read, "p", "first", 0) == "first"
    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            watchdog.call(read, "p", "late", 0.5)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert watchdog.call(read, "p", "right", 0) == "right"
    watchdog.close()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_limit_must_be_above_zero(seconds):
    with pytest.raises(ValueError, match=re.escape(f"got {seconds}")):
        Watchdog(seconds)


def test_validation_goes_on_without_the_videos(videos):
    clips = CentreClips(
        videos=videos, sampling=SAMPLING, short_side=64, crop_size=64, watchdog=Watchdog(LIMIT)
    )
    loader = samples_loader(clips, num_workers=2, pin_memory=False, sampler=range(4), batch_size=2)
    first, second = loader
    assert (first.targets.tolist(), second.targets.tolist()) == ([0], [2])
    ((path, reason),) = first.failures
    assert path == videos.path(1)
    assert reason.startswith("reading took longer than 1 s")
    assert second.failures == ((videos.path(3), "its decoder crashed (signal SIGKILL)"),)
    plain = CentreClips(videos=videos, sampling=SAMPLING, short_side=64, crop_size=64)
    assert torch.equal(first.inputs[0], plain[0].first)
    assert torch.equal(second.inputs[0], plain[2].first)


def test_stops_at_a_hanging_video_if_wanted(videos):
    settings = {"sampling": SAMPLING, "short_side": 64, "crop_size": 64}
    clips = CentreClips(videos=videos, watchdog=Watchdog(LIMIT), **settings)
    loader = samples_loader(
        clips,
        num_workers=1,
        pin_memory=False,
        sampler=range(4),
        stop_on_timeout=True,
    )
    batches = iter(loader)
    assert next(batches).targets.tolist() == [0]
    with pytest.raises(SampleError, match=r"hangs\.mp4: reading took longer"):
        next(batches)


def test_views_go_on_without_the_videos(videos):
    views = EvalViews(
        videos=videos,
        sampling=SAMPLING,
        num_clips=2,
        num_crops=3,
        short_side=64,
        crop_size=64,
        watchdog=Watchdog(LIMIT),
    )
    items = list(views_loader(views, num_workers=1))
    assert [item.views is None for item in items] == [False, True, False, True]
    assert [item.index for item in items] == [0, 1, 2, 3]
    assert is_timeout(items[1].failures[0][1])
    alone = EvalViews(
        videos=videos, sampling=SAMPLING, num_clips=2, num_crops=3, short_side=64, crop_size=64
    )
    assert torch.equal(items[2].views.view(4), alone[2].views.view(4))


def test_training_takes_another_video_and_names_the_one_that_hangs(videos):
    clips = TrainingClips(
        videos=videos,
        sampling=SAMPLING,
        framing=Framing(short_sides=(64, 64), crop_size=64, flip=False),
        watchdog=Watchdog(LIMIT),
    )
    batches = TrainingBatches(4, batch_size=4, seed=0)
    (batch,) = samples_loader(clips, num_workers=1, pin_memory=False, batches=batches)
    assert len(batch.targets) == 4
    assert set(batch.targets.tolist()) == {0, 2}
    assert {path for path, _ in batch.failures} == {videos.path(1), videos.path(3)}
    alone = TrainingClips(
        videos=videos,
        sampling=SAMPLING,
        framing=Framing(short_sides=(64, 64), crop_size=64, flip=False),
    )
    place = batch.indices.index(0)  # read at the first attempt in both
    if batch.failures and batch.indices.count(0) == 1:
        assert torch.equal(batch.inputs[place], alone[0, 0].first)


def state_and_parent(pid):
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except OSError:
        return "Z", 0
    return state, int(parent)


def is_running(pid):
    return state_and_parent(pid)[0] != "Z"


def children_of(parent):
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if state_and_parent(pid)[1] == parent and is_running(pid)]


def test_nothing_is_left_of_a_loader_that_is_dropped_while_a_reader_hangs(videos):
    clips = CentreClips(
        videos=videos, sampling=SAMPLING, short_side=64, crop_size=64, watchdog=Watchdog(60)
    )
    before = set(children_of(os.getpid()))
    loader = samples_loader(clips, num_workers=1, pin_memory=False, sampler=range(4))
    batches = iter(loader)
    next(batches)
    (worker,) = set(children_of(os.getpid())) - before
    (reader,) = children_of(worker)
    # The reader hangs in the second video when its worker is killed, as the whole run may be.
    with contextlib.suppress(RuntimeError):  # of torch, that the worker is gone
        os.kill(worker, signal.SIGKILL)
        next(batches)
    end = time.monotonic() + 5
    while is_running(reader):
        assert time.monotonic() < end, "the hanging reader outlives its worker"
        time.sleep(0.01)
