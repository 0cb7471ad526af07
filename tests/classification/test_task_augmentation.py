"""What the keys of augmentation build."""

import re

import pytest
import torch

from glore_video.config import load_config
from glore_video.data.video.video_list import VideoList
from glore_video.engine.launch.processes import Process
from glore_video.pixels.augmentation import Augmentation
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.rand_augment import RandAugment
from glore_video.tasks.classification.mixing import Mixing
from glore_video.tasks.classification.task_augmentation import build_augmentation, build_mixing
from glore_video.tasks.video_classification.task import VideoClassification


def config(*pairs):
    return load_config(None, list(pairs))


def process(world_size=1):
    return Process(0, world_size, torch.device("cpu"))


@pytest.fixture
def videos(tmp_path):
    return VideoList(tmp_path / "list.csv", [f"{i}.mp4" for i in range(8)], [0] * 8)


def test_default_is_no_augmentation():
    assert build_augmentation(config()) == Augmentation()
    assert build_mixing(config()) is None


def test_slowfasts_augmentation():
    keys = ("AUG.ENABLE", "True", "DATA.MEAN", "[0.4, 0.5, 0.6]", "DATA.STD", "[0.1, 0.2, 0.3]")
    assert build_augmentation(config(*keys)) == Augmentation(
        rand_augment=RandAugment(magnitude=9, operations=2, magnitude_std=0.5, increasing=True),
        erasing=RandomErasing(
            probability=0.25, mode="pixel", count=1, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3)
        ),
    )


def test_colour_jitter_is_for_runs_without_rand_augment():
    keys = ("AUG.ENABLE", "True", "AUG.AA_TYPE", "", "AUG.RE_PROB", "0")
    assert build_augmentation(config(*keys)) == Augmentation(colour_jitter=0.4)


def test_the_papers_jitter_needs_no_switch():
    built = build_augmentation(
        config("AUG.HLS_JITTER", "[15, 35, 25]", "AUG.PIXEL_JITTER", "[-20, 20]")
    )
    assert built == Augmentation(hls_ranges=(15, 35, 25), pixel_ranges=(-20, 20))


def test_all_keys_reach_the_clips(videos):
    keys = (
        *("AUG.ENABLE", "True", "AUG.NUM_SAMPLE", "2", "AUG.AA_ON_CROP", "True"),
        *("AUG.INTERPOLATION", "bilinear", "AUG.RE_SPLIT", "True"),
        *("AUG.RE_MODE", "const", "AUG.RE_COUNT", "3"),
        *("DATA.TRAIN_JITTER_SCALES_RELATIVE", "[0.1, 0.9]"),
        *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", "[0.7, 1.4]"),
        *("TRAIN.BATCH_SIZE", "4", "DATA_LOADER.NUM_WORKERS", "0"),
    )
    data = VideoClassification(config(*keys)).training_data_of(videos, process(2))
    clips = data.loader.dataset
    assert clips.num_clips == 2
    assert (clips.framing.areas, clips.framing.area_aspects, clips.framing.aspects) == (
        (0.1, 0.9),
        (0.7, 1.4),
        None,
    )
    assert clips.augmentation.rand_augment_on_crop
    assert clips.augmentation.rand_augment.interpolation == "bilinear"
    assert clips.augmentation.spare_first
    assert (clips.augmentation.erasing.mode, clips.augmentation.erasing.count) == ("const", 3)
    # BATCH_SIZE counts videos: 4 over two processes
    assert [len(batch) for batch in data.order] == [2, 2]


def test_aspect_of_short_side_crops_reaches_the_clips(videos):
    keys = ("DATA.TRAIN_JITTER_ASPECT", "[0.8, 1.25]", "TRAIN.BATCH_SIZE", "4")
    loader = VideoClassification(config(*keys)).training_data_of(videos, process()).loader
    assert (loader.dataset.framing.aspects, loader.dataset.framing.areas) == ((0.8, 1.25), None)


def test_short_side_in_validation(videos):
    keys = ("DATA.TRAIN_JITTER_SCALES", "[224, 340]", "TRAIN.BATCH_SIZE", "4")
    assert (
        VideoClassification(config(*keys))
        .validation_data_of(videos, process())
        .loader.dataset.short_side
        == 224
    )
    keys = (*keys, "DATA.VAL_SHORT_SIDE", "256")
    assert (
        VideoClassification(config(*keys))
        .validation_data_of(videos, process())
        .loader.dataset.short_side
        == 256
    )


def test_mixing():
    keys = (
        *("MIXUP.ENABLE", "True", "MIXUP.ALPHA", "0.3", "MIXUP.CUTMIX_ALPHA", "0.7"),
        *("MIXUP.PROB", "0.9", "MIXUP.SWITCH_PROB", "0.2", "MODEL.NUM_CLASSES", "12"),
    )
    assert build_mixing(config(*keys)) == Mixing(
        alpha=0.3,
        cutmix_alpha=0.7,
        probability=0.9,
        switch_probability=0.2,
        label_smoothing=0.1,
        num_classes=12,
    )


def test_label_smoothing_alone_leaves_the_clips():
    mixing = build_mixing(config("AUG.LABEL_SMOOTHING", "0.2", "MODEL.NUM_CLASSES", "4"))
    clips = torch.rand(2, 3, 2, 4, 4)
    mixed, targets = mixing(clips, torch.tensor([1, 3]), torch.Generator())
    assert mixed is clips
    torch.testing.assert_close(
        targets, torch.tensor([[0.05, 0.85, 0.05, 0.05], [0.05, 0.05, 0.05, 0.85]])
    )


@pytest.mark.parametrize(
    ("keys", "world_size", "message"),
    [
        (("AUG.ENABLE", "True", "AUG.AA_TYPE", "rand-q3"), 1, "AUG.AA_TYPE = 'rand-q3'"),
        (
            ("MIXUP.ENABLE", "True", "AUG.LABEL_SMOOTHING", "0.2"),
            1,
            "with MIXUP.ENABLE True it is MIXUP.LABEL_SMOOTH_VALUE (now 0.1)",
        ),
        (
            ("MIXUP.ENABLE", "True", "TRAIN.BATCH_SIZE", "2"),
            2,
            "TRAIN.BATCH_SIZE = 2 over 2 processes leaves it one",
        ),
    ],
)
def test_what_is_found_before_a_run_starts(videos, keys, world_size, message):
    if "TRAIN.BATCH_SIZE" not in keys:
        keys = (*keys, "TRAIN.BATCH_SIZE", "4")
    with pytest.raises(ValueError, match=re.escape(message)):
        VideoClassification(config(*keys)).order(len(videos), process(world_size))


def test_two_clips_of_one_video_can_be_mixed(videos):
    keys = ("MIXUP.ENABLE", "True", "TRAIN.BATCH_SIZE", "2", "AUG.NUM_SAMPLE", "2")
    assert len(VideoClassification(config(*keys)).order(len(videos), process(2))) == 4
