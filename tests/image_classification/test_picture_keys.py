"""What a configuration of pictures leaves unset, and keys that mean nothing to pictures."""

import pytest

from glore_video.config import load_config
from glore_video.errors import UsageError
from glore_video.runs.settling import settled


def config(*pairs, task="image_classification"):
    words = ["TASK", task, "MODEL.NUM_CLASSES", "2", *map(str, pairs)]
    return settled(load_config(None, words))


def test_networks_are_shown_what_they_were_published_with():
    data = config("MODEL.NAME", "torchvision/resnet50").DATA
    assert (data.TRAIN_CROP_SIZE, data.TEST_CROP_SIZE, data.VAL_SHORT_SIDE) == (224, 224, 232)
    assert (data.INTERPOLATION, data.CROP_MODE) == ("bilinear", "center")
    assert data.MEAN == (0.485, 0.456, 0.406)
    data = config("MODEL.NAME", "torchvision/resnet50.IMAGENET1K_V1").DATA
    assert data.TEST_SHORT_SIDE == 256
    data = config("MODEL.NAME", "timm/vit_base_patch16_224.augreg_in21k_ft_in1k").DATA
    assert (data.INTERPOLATION, data.MEAN, data.TEST_SHORT_SIDE) == ("bicubic", (0.5,) * 3, 248)


def test_scaling_follows_the_crop():
    pairs = ("MODEL.ARCH", "tiny2d", "DATA.TRAIN_CROP_SIZE", 112)
    data = config(*pairs).DATA
    assert (data.VAL_SHORT_SIDE, data.TEST_CROP_SIZE, data.TEST_SHORT_SIDE) == (128, 112, 128)
    data = config(*pairs, "DATA.TEST_CROP_SIZE", 128, "DATA.VAL_SHORT_SIDE", 120).DATA
    assert (data.VAL_SHORT_SIDE, data.TEST_CROP_SIZE, data.TEST_SHORT_SIDE) == (120, 128, 146)


def test_pictures_have_no_time_limit_unless_one_is_set():
    arch = ("MODEL.ARCH", "tiny2d")
    assert config(*arch).DATA_LOADER.VIDEO_TIMEOUT == 0
    assert config(*arch, "DATA_LOADER.VIDEO_TIMEOUT", 60).DATA_LOADER.VIDEO_TIMEOUT == 60


def test_what_is_set_stays():
    named = ("MODEL.NAME", "timm/resnet50", "DATA.MEAN", [0.5, 0.5, 0.5])
    found = config(*named, "TEST.NUM_SPATIAL_CROPS", 5, "AUG.AA_ON_CROP", False)
    assert found.DATA.MEAN == (0.5, 0.5, 0.5)
    assert found.TEST.NUM_SPATIAL_CROPS == 5
    assert not found.AUG.AA_ON_CROP
    assert settled(found) == found


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            ["MODEL.NAME", "torchvision/video/r3d_18"],
            "MODEL.NAME = torchvision/video/r3d_18 takes clips of videos",
        ),
        (["MODEL.ARCH", "slow"], "MODEL.ARCH = slow takes clips of videos, not pictures"),
        (
            ["MODEL.ARCH", "tiny2d", "DATA.NUM_FRAMES", 16, "SLOWFAST.ALPHA", 8],
            "DATA.NUM_FRAMES = 16, SLOWFAST.ALPHA = 8: of no use with TASK = image_classification",
        ),
        (
            ["MODEL.ARCH", "tiny2d", "TEST.NUM_SPATIAL_CROPS", 3],
            "TEST.NUM_SPATIAL_CROPS = 3: of a picture 1",
        ),
        (
            [
                *("MODEL.ARCH", "tiny2d", "DATA.TRAIN_CROP_SIZE", 300),
                *("DATA.TRAIN_JITTER_ASPECT", [0.8, 1.25]),
            ],
            "DATA.TRAIN_CROP_SIZE = 300 does not fit",
        ),
    ],
)
def test_what_pictures_have_no_use_for_is_refused(pairs, message):
    with pytest.raises(UsageError, match=message):
        config(*pairs)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["TEST.FLIP", True], "TEST.FLIP = True: of no use with TASK = video_classification"),
        (["TEST.NUM_SPATIAL_CROPS", 5], "TEST.NUM_SPATIAL_CROPS = 5 is for pictures"),
        (["MODEL.ARCH", "tiny2d"], "MODEL.ARCH = tiny2d takes pictures, not the clips of a video"),
    ],
)
def test_what_videos_have_no_use_for_is_refused(pairs, message):
    with pytest.raises(UsageError, match=message):
        config(*pairs, task="video_classification")


def test_large_crops_need_no_short_side_in_training():
    assert config("MODEL.ARCH", "tiny2d", "DATA.TRAIN_CROP_SIZE", 512).DATA.VAL_SHORT_SIDE == 585


def test_views_that_do_not_fit_are_named():
    from glore_video.tasks import task_of

    found = config("MODEL.ARCH", "tiny2d", "TEST.SCALES", [0.5, 1])
    with pytest.raises(UsageError, match=r"TEST\.SCALES.*: views of 224 pixels do not fit"):
        task_of(found).facts()
