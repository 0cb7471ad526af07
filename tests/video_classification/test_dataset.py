"""Clips and views from real files whose frames bear their number."""

from dataclasses import fields

import pytest
import torch
from encoded_videos import encode

from glore_video.data.loader import samples_loader
from glore_video.data.samplers import TrainingBatches
from glore_video.data.video.video_list import VideoList
from glore_video.pixels import augmentation
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.rand_augment import RandAugment
from glore_video.tasks.video_classification import dataset as video_dataset
from glore_video.tasks.video_classification.dataset import CentreClips, EvalViews, TrainingClips
from glore_video.video import ClipSampling, VideoError, open_video

SAMPLING = ClipSampling(num_frames=4, stride=3)  # covers 10 frames


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Two readable videos of 40 and 6 frames, and one without a byte between them."""
    root = tmp_path_factory.mktemp("list")
    encode(root / "long.mp4", numbers=range(40))
    encode(root / "short.mp4", numbers=range(6))
    (root / "empty.mp4").touch()
    names = ["long.mp4", "empty.mp4", "short.mp4"]
    return VideoList(root / "list.csv", [str(root / name) for name in names], [5, 6, 7])


FRAMING = {field.name for field in fields(Framing)}


def training(videos, **changes):
    framing = {"short_sides": (64, 64), "crop_size": 64, "flip": False}
    framing |= {name: changes.pop(name) for name in FRAMING & changes.keys()}
    settings = {"sampling": SAMPLING, "framing": Framing(**framing), "seed": 3}
    return TrainingClips(videos=videos, **(settings | changes))


def test_training_clip_is_one_the_video_has(videos):
    clips = [training(videos)[epoch, 0].first for epoch in range(12)]
    assert all(clip.shape == (3, 4, 64, 64) and clip.dtype == torch.uint8 for clip in clips)
    with open_video(videos.path(0)) as video:
        frames = video.frames(range(40)).permute(0, 3, 1, 2)  # (frames, 3, height, width)
    windows = [frames[..., left : left + 64] for left in range(33)]
    starts = set()
    for clip in clips:
        found = [
            (start, left)
            for start in range(31)
            for left in range(33)
            if torch.equal(clip[:, 0], windows[left][start])
            and torch.equal(clip, windows[left][start : start + 10 : 3].transpose(0, 1))
        ]
        assert len(found) == 1
        starts.add(found[0])
    assert len(starts) > 8


def test_training_draw_depends_on_seed_epoch_and_index_alone(videos):
    item = training(videos)[2, 0]
    assert torch.equal(item.first, training(videos)[2, 0].first)
    assert not torch.equal(item.first, training(videos)[3, 0].first)
    assert not torch.equal(item.first, training(videos, seed=4)[2, 0].first)


def test_flip_mirrors_half_of_the_clips(videos):
    plain, flipped = training(videos), training(videos, flip=True)
    mirrored = 0
    for epoch in range(20):
        a, b = plain[epoch, 0].first, flipped[epoch, 0].first
        assert torch.equal(a, b) or torch.equal(a.flip(3), b)
        mirrored += not torch.equal(a, b)
    assert 3 < mirrored < 17


def test_short_sides_vary(videos):
    item = training(videos, short_sides=(40, 80), crop_size=40)[0, 0]
    assert item.first.shape == (3, 4, 40, 40)


def test_unreadable_training_video_is_replaced_with_its_label(videos):
    for epoch in range(10):
        item = training(videos)[epoch, 1]
        assert (item.index, item.target) in [(0, 5), (2, 7)]
        assert {path for path, _ in item.failures} == {videos.path(1)}
        assert all(reason for _, reason in item.failures)


def test_only_unreadable_training_videos(videos):
    bad = VideoList(videos.source, [videos.path(1)], [6])
    item = training(bad, attempts=3)[0, 0]
    assert item.first is None
    assert len(item.failures) == 3


def test_centre_clip(videos):
    clips = CentreClips(videos=videos, sampling=SAMPLING, short_side=64, crop_size=64)
    item = clips[0]
    assert (item.target, item.index, item.failures) == (5, 0, ())
    with open_video(videos.path(0)) as video:
        expected = video.frames([15, 18, 21, 24])[:, :, 16:80].permute(3, 0, 1, 2)
    assert torch.equal(item.first, expected)


def test_nothing_takes_the_place_of_an_unreadable_validation_video(videos):
    item = CentreClips(videos=videos, sampling=SAMPLING, short_side=64, crop_size=64)[1]
    assert (item.first, item.target, item.index) == (None, 6, 1)
    assert item.failures[0][0] == videos.path(1)


def views_of(videos, **changes):
    settings = {
        "sampling": SAMPLING,
        "num_clips": 4,
        "num_crops": 3,
        "short_side": 64,
        "crop_size": 64,
        "spacing": "ends",
    }
    return EvalViews(videos=videos, **(settings | changes))


def test_views_are_clips_times_crops(videos):
    views = views_of(videos)[0].views
    assert len(views) == 12
    with open_video(videos.path(0)) as video:
        frames = video.frames(range(40))
    expected = [
        frames[[s, s + 3, s + 6, s + 9], :, left : left + 64].permute(3, 0, 1, 2)
        for s in (0, 10, 20, 30)
        for left in (0, 16, 32)
    ]
    batches = list(views.batches(5))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert torch.equal(torch.cat(batches), torch.stack(expected))


def test_views_are_cut_on_the_device_that_they_were_moved_to(videos):
    views = views_of(videos)[0].views
    moved = views.to(torch.device("meta"))
    for here, there in zip(views.batches(5), moved.batches(5), strict=True):
        assert there.device.type == "meta"
        assert (there.shape, there.dtype) == (here.shape, here.dtype)
    assert views.planes.device.type == "cpu"


def test_views_share_frames(videos):
    views = views_of(videos, num_clips=10, spacing="slowfast")[0].views
    wanted = {frame for clip in views.clips for frame in clip}
    assert views.planes.shape[1] == len(wanted) < 40


def test_views_of_a_short_video(videos):
    views = views_of(videos, num_crops=1)[2].views
    assert len(views) == 4
    clip = CentreClips(videos=videos, sampling=SAMPLING, short_side=64, crop_size=64)[2].first
    assert all(torch.equal(views.view(n), clip) for n in range(4))


def test_shard_and_unreadable_video(videos):
    shard = views_of(videos, indices=range(1, 3))
    assert len(shard) == 2
    assert (shard[0].views, shard[0].index) == (None, 1)
    assert shard[0].failures[0][0] == videos.path(1)
    assert (shard[1].views is not None, shard[1].index, shard[1].label) == (True, 2, 7)


@pytest.fixture(scope="session")
def damaged(tmp_path_factory):
    """A video whose second half is missing, which shows only when it is decoded."""
    path = tmp_path_factory.mktemp("damaged") / "cut.mp4"
    encode(path, numbers=range(40), gop=40, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return VideoList(path.parent / "list.csv", [str(path)], [3])


def kinds(videos, **changes):
    return [
        training(videos, attempts=1, **changes)[0, 0].first,
        CentreClips(videos=videos, sampling=SAMPLING, short_side=64, crop_size=64, **changes)[
            0
        ].first,
        views_of(videos, **changes)[0].views,
    ]


def test_damaged_video_is_unreadable_or_shorter(damaged):
    assert kinds(damaged) == [None, None, None]
    clip, centre, views = kinds(damaged, damaged="use_prefix")
    with open_video(damaged.path(0), damaged="use_prefix") as video:
        whole = video.num_frames
        while True:
            try:
                frames = video.frames(range(video.num_frames))
                break
            except VideoError:
                assert video.num_frames < whole
    count = len(frames)
    assert 10 <= count < 25
    start = (count - 10 + 1) // 2
    expected = frames[[start, start + 3, start + 6, start + 9], :, 16:80].permute(3, 0, 1, 2)
    assert torch.equal(centre, expected)
    last = torch.stack([frames[count - 10 + i, :, 16:80] for i in (0, 3, 6, 9)])
    assert torch.equal(views.view(10), last.permute(3, 0, 1, 2))
    assert clip.shape == (3, 4, 64, 64)


class Shrinking:
    """A reader that finds out by decoding how few frames it has."""

    def __init__(self, known, whole):
        self.num_frames = known
        self.whole = whole

    def frames(self, indices):
        if max(indices) >= self.whole:
            self.num_frames = self.whole
            raise VideoError("a.mp4", f"only {self.whole} frames are whole")
        return list(indices)


def test_frames_are_chosen_anew_where_fewer_are_whole():
    def last(video):
        return video.frames([video.num_frames - 1])

    assert video_dataset._again_if_shorter(Shrinking(40, 20), last, "use_prefix") == [19]
    for known, whole, policy in ((40, 20, "error"), (40, 0, "use_prefix"), (40, 40, "error")):
        video = Shrinking(known, whole)
        read = last if whole != 40 else lambda video: video.frames([40])
        with pytest.raises(VideoError, match=f"only {whole} frames"):
            video_dataset._again_if_shorter(video, read, policy)


def test_clips_of_a_variable_rate_span_their_seconds(tmp_path):
    """30 frames in the first second, then one every third of a second: 40 frames in 4.3 s."""
    path = encode(tmp_path / "v.mp4", times=[*range(30), *range(30, 130, 10)], size=(64, 64))
    videos = VideoList(tmp_path / "l.csv", [str(path)], [0])
    # Three frames 30 / 30 s apart: of what is shown at 30 a second, 128 or 129 places.
    sampling = ClipSampling(num_frames=3, stride=30, target_fps=30)
    with open_video(path) as video:
        frames = video.frames(range(40)).permute(0, 3, 1, 2)
    size = {"short_side": 64, "crop_size": 64}
    clip = CentreClips(videos=videos, sampling=sampling, **size)[0].first
    # 123.2 places, rounded up; the centre start is place (124 - 61 + 1) // 2 = 32: 1.07, 2.07, 3.07 s
    assert torch.equal(clip, frames[[30, 33, 36]].permute(1, 0, 2, 3))
    settings = {"num_clips": 3, "num_crops": 1, "spacing": "ends", **size}
    views = EvalViews(videos=videos, sampling=sampling, **settings)[0].views
    assert torch.equal(views.view(0), frames[[0, 30, 33]].permute(1, 0, 2, 3))
    # the last one starts at place 63
    assert torch.equal(views.view(2), frames[[33, 36, 39]].permute(1, 0, 2, 3))
    drawn = training(videos, sampling=sampling)
    for epoch in range(8):
        clip = drawn[epoch, 0].first.unbind(1)
        first, second, third = (
            next(n for n in range(40) if torch.equal(shown, frames[n])) for shown in clip
        )
        assert first <= 33
        assert 30 <= second <= 36
        assert third == second + 3


AUGMENTATION = Augmentation(
    rand_augment=RandAugment(magnitude=7, operations=4, magnitude_std=0.5, increasing=True),
    hls_ranges=(15, 35, 25),
    pixel_ranges=(-20, 20),
    erasing=RandomErasing(probability=0.5, count=2),
)


def test_draws_of_a_plain_clip_never_change(videos, monkeypatch):
    """A run that is resumed sees the clips that it would have seen."""
    seen = []

    def indices(start, *_):
        seen.append([start])
        return [start] * 4

    def crop(frames, top, left, height, width):
        seen[-1] += [frames.shape[1], top, left]
        return frames[:, top : top + height, left : left + width]

    def flip(frames):
        seen[-1].append("mirrored")
        return frames

    monkeypatch.setattr(video_dataset, "clip_indices", indices)
    monkeypatch.setattr(augmentation, "crop", crop)
    monkeypatch.setattr(augmentation, "horizontal_flip", flip)
    clips = training(videos, short_sides=(40, 80), crop_size=40, flip=True)
    for epoch in range(4):
        clips[epoch, 0]
    # start, short side, top, left of the crop
    assert seen == [
        [14, 53, 5, 34],
        [6, 58, 0, 12, "mirrored"],
        [30, 77, 33, 21, "mirrored"],
        [28, 67, 16, 20, "mirrored"],
    ]


def test_several_clips_of_a_video(videos):
    single = training(videos)
    several = training(videos, num_clips=3)
    with open_video(videos.path(0)) as video:
        frames = video.frames(range(40)).permute(0, 3, 1, 2)  # (frames, 3, height, width)
    windows = [
        (start, frames[start : start + 10 : 3, :, :, left : left + 64].transpose(0, 1))
        for start in range(31)
        for left in range(33)
    ]
    distinct = set()
    for epoch in range(2):
        item = several[epoch, 0]
        assert item.inputs.shape == (3, 3, 4, 64, 64)
        assert (item.target, item.index) == (5, 0)
        assert torch.equal(item.first, single[epoch, 0].first)
        assert torch.equal(item.inputs[:2], training(videos, num_clips=2)[epoch, 0].inputs)
        for clip in item.inputs:
            [start] = [start for start, window in windows if torch.equal(window, clip)]
            distinct.add(start)
    assert len(distinct) > 3


def test_several_clips_take_one_opening_and_decode_no_frame_twice(videos, monkeypatch):
    wanted = []

    def opened(*args, **kwargs):
        video = open_video(*args, **kwargs)
        decode = video._decode
        video._decode = lambda numbers, take: wanted.append(numbers) or decode(numbers, take)
        return video

    monkeypatch.setattr(video_dataset, "open_video", opened)
    training(videos, num_clips=8)[0, 0]
    [numbers] = wanted
    assert numbers == sorted(set(numbers))
    assert 12 < len(numbers) < 32


def test_clips_of_one_video_are_augmented_apart(videos):
    item = training(videos, num_clips=4, augmentation=AUGMENTATION)[0, 2]
    # the video is shorter than a clip: without augmentation all clips show the same frames
    assert len({clip.numpy().tobytes() for clip in item.inputs}) == 4


def test_the_first_of_several_clips_may_stay_unerased(videos):
    erasing = RandomErasing(probability=1.0, mode="const", mean=(0.0, 0.0, 0.0))
    spared = Augmentation(erasing=erasing, spare_first=True)
    plain = training(videos, num_clips=3)[0, 0].inputs
    clips = training(videos, num_clips=3, augmentation=spared)[0, 0].inputs
    same = [torch.equal(clip, other) for clip, other in zip(clips, plain, strict=True)]
    assert same == [True, False, False]


def test_all_clips_of_a_video_that_takes_anothers_place(videos):
    item = training(videos, num_clips=3, augmentation=AUGMENTATION)[1, 1]
    assert item.inputs.shape == (3, 3, 4, 64, 64)
    assert (item.index, item.target) in [(0, 5), (2, 7)]
    assert {path for path, _ in item.failures} == {videos.path(1)}


@pytest.mark.parametrize(
    "framing",
    [
        {"aspects": (0.8, 1.25)},
        {"areas": (0.2, 1.0), "area_aspects": (0.75, 4 / 3)},
    ],
)
def test_framing_reaches_the_clips(videos, framing):
    plain = training(videos)[0, 0].first
    clip = training(videos, **framing)[0, 0].first
    assert clip.shape == plain.shape
    assert not torch.equal(clip, plain)


def test_augmented_clips_are_the_same_with_any_number_of_workers(videos):
    def clips(workers, rank=0, world_size=1):
        dataset = training(
            videos, num_clips=2, flip=True, areas=(0.2, 1.0), augmentation=AUGMENTATION
        )
        batches = TrainingBatches(3, batch_size=2, seed=1, rank=rank, world_size=world_size)
        batches.epoch = 4
        loader = samples_loader(dataset, num_workers=workers, pin_memory=False, batches=batches)
        [batch] = loader
        assert batch.inputs.shape[0] == len(batch.targets) == 2 * len(batch.indices)
        return batch

    alone = clips(0)
    in_workers = clips(2)
    assert torch.equal(alone.inputs, in_workers.inputs)
    assert torch.equal(alone.targets, in_workers.targets)
    first, second = (clips(0, rank, 2) for rank in range(2))
    assert torch.equal(alone.inputs, torch.cat([first.inputs, second.inputs]))
