"""Crops of pictures for training, and views for validation and testing."""

import numpy as np
import pytest
import torch
from PIL import Image

from glore_video.config import load_config
from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.images.reading import read_image
from glore_video.images.views import PictureViews
from glore_video.pixels.augmentation import Framing
from glore_video.runs.settling import settled
from glore_video.tasks import task_of
from glore_video.tasks.image_classification.dataset import (
    CentrePictures,
    PictureViewsSet,
    TrainingPictures,
)

FRAMING = Framing(
    short_sides=(1, 1),
    crop_size=16,
    flip=True,
    areas=(0.3, 1.0),
    interpolation="bicubic",
    antialias=True,
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Six noisy pictures; number 2 is cut off."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(1)
    paths = [root / f"{number}.png" for number in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    paths[2].write_bytes(paths[2].read_bytes()[:500])
    return SampleList(root, map(str, paths), list(range(6)))


def test_crops_depend_on_seed_epoch_and_index_alone(samples):
    crops = TrainingPictures(pictures=samples, framing=FRAMING)
    item = crops[3, 1]
    assert (item.inputs.shape, item.inputs.dtype) == ((1, 3, 16, 16), torch.uint8)
    assert (item.target, item.index) == (1, 1)
    assert torch.equal(crops[3, 1].inputs, item.inputs)
    others = [crops[4, 1], TrainingPictures(pictures=samples, framing=FRAMING, seed=1)[3, 1]]
    assert not any(torch.equal(each.inputs, item.inputs) for each in others)


def test_several_crops_of_a_picture_begin_with_the_one_of_one(samples):
    one = TrainingPictures(pictures=samples, framing=FRAMING)[0, 4].inputs
    three = TrainingPictures(pictures=samples, framing=FRAMING, num_crops=3)[0, 4].inputs
    assert three.shape == (3, 3, 16, 16)
    assert torch.equal(three[:1], one)
    assert not torch.equal(three[1], three[2])


def test_another_picture_takes_the_place_of_a_broken_one(samples):
    item = TrainingPictures(pictures=samples, framing=FRAMING)[0, 2]
    assert item.index != 2
    assert item.target == item.index
    assert [path for path, _ in item.failures] == [samples.path(2)] * len(item.failures)
    alone = SampleList(samples.source, [samples.path(2)], [0])
    nothing = TrainingPictures(pictures=alone, framing=FRAMING, attempts=3)[0, 0]
    assert (nothing.inputs, len(nothing.failures)) == (None, 3)


@pytest.mark.parametrize("watchdog", [None, 20.0])
def test_views_for_validation_and_testing(samples, watchdog):
    watchdog = watchdog and Watchdog(watchdog)
    views = PictureViews(size=16, sides=(18, 24), crops=5, flips=True)
    tested = PictureViewsSet(pictures=samples, views=views, indices=(3, 2), watchdog=watchdog)
    item = tested[0]
    expected = views(read_image(samples.path(3)))
    assert (len(tested), item.index, item.label) == (2, 3, 3)
    parts = list(item.views.batches(8))
    assert [len(part) for part in parts] == [8, 8, 4]
    assert torch.equal(torch.cat(parts), expected)
    broken = tested[1]
    assert (broken.views, broken.label, broken.failures[0][0]) == (None, 2, samples.path(2))

    first = CentrePictures(pictures=samples, views=views, watchdog=watchdog)
    assert torch.equal(first[3].inputs, expected[:1])
    assert (first[2].inputs, first[2].target) == (None, 2)


def test_a_picture_of_too_many_pixels_is_unreadable(samples):
    views = PictureViews(size=16, sides=(18,))
    item = CentrePictures(pictures=samples, views=views, max_pixels=1999)[0]
    assert item.failures[0][1] == "has more than max_pixels = 1,999 pixels (DATA.MAX_PIXELS)"
    assert CentrePictures(pictures=samples, views=views, max_pixels=2000)[0].inputs is not None


def task(*pairs):
    words = ["TASK", "image_classification", "MODEL.NUM_CLASSES", "2", *map(str, pairs)]
    return task_of(settled(load_config(None, words)))


def test_keys_reach_the_crops(samples):
    arch = ("MODEL.ARCH", "tiny2d")
    training = task(*arch).training_set(samples)
    assert training.framing == Framing(
        short_sides=(256, 320),
        crop_size=224,
        flip=True,
        areas=(0.08, 1.0),
        area_aspects=(3 / 4, 4 / 3),
        interpolation="bilinear",
        antialias=True,
    )
    pairs = ("AUG.NUM_SAMPLE", 2, "DATA.MAX_PIXELS", 77, "DATA.INTERPOLATION", "bicubic")
    training = task(*arch, *pairs).training_set(samples)
    assert (training.num_crops, training.max_pixels) == (2, 77)
    assert training.framing.interpolation == "bicubic"
    jitter = ("DATA.TRAIN_JITTER_SCALES_RELATIVE", [], "DATA.TRAIN_JITTER_ASPECT_RELATIVE", [])
    assert task(*arch, *jitter).training_set(samples).framing.areas is None


def test_keys_reach_the_views(samples):
    named = ("MODEL.NAME", "timm/efficientnet_lite0")
    views = task(*named).validation_set(samples).views
    assert views == PictureViews(
        size=224, sides=(256,), interpolation="bicubic", fill=(124, 116, 104)
    )
    pairs = ("TEST.SCALES", [1, 1.25], "TEST.FLIP", True, "TEST.NUM_SPATIAL_CROPS", 5)
    task_ = task(*named, *pairs)
    views = task_.config.TEST.SCALES and task_.facts()
    assert views == {"views a picture": "20", "test scaling": "center, 256, 320 pixels, bicubic"}
