"""Lists, data sets and tests of pictures, from a run's configuration."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from glore_video.config import Config
from glore_video.data.pictures.picture_classes import number_pictures
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.pictures.splits import load_split
from glore_video.data.relations.labels import Labels
from glore_video.data.relations.pictures import render_relation_pictures
from glore_video.data.samples import SampleList
from glore_video.engine.protocols import Words
from glore_video.errors import naming
from glore_video.images.views import PictureViews
from glore_video.pixels.normalize import grey_levels
from glore_video.tasks.classification.class_lists import ClassLists
from glore_video.tasks.classification.task_augmentation import build_augmentation, build_framing
from glore_video.tasks.image_classification.dataset import (
    CentrePictures,
    PictureViewsSet,
    TrainingPictures,
)
from glore_video.tasks.task_base import build_watchdog

WORDS = Words(
    sample="picture",
    input="picture",
    faster_reading="make pictures smaller: scaled to a short side of 400 pixels, they are read faster",
)


def render_pictures(config: Config, labels: Labels) -> None:
    """The synthetic pictures that a configuration names."""
    synthetic = config.SYNTHETIC
    render_relation_pictures(
        config.DATA.PATH_TO_DATA_DIR,
        labels=labels,
        num_train=synthetic.NUM_TRAIN,
        num_val=synthetic.NUM_VAL,
        size=synthetic.SIZE,
        seed=synthetic.SEED,
    )


def picture_lists(config: Config) -> ClassLists[SampleList]:
    """The lists of the run."""
    load = partial(load_split, labels_file=config.DATA.VAL_LABELS_PATH)
    return ClassLists(config, PICTURES, load, number=number_pictures)


def training_pictures(config: Config, pictures: SampleList) -> TrainingPictures:
    """Random crops of these pictures."""
    return TrainingPictures(
        pictures=pictures,
        framing=replace(
            build_framing(config), interpolation=config.DATA.INTERPOLATION, antialias=True
        ),
        augmentation=build_augmentation(config),
        num_crops=config.AUG.NUM_SAMPLE,
        max_pixels=config.DATA.MAX_PIXELS,
        seed=config.RNG_SEED,
        watchdog=build_watchdog(config),
    )


def validation_views(config: Config) -> PictureViews:
    """The one view of each picture that is validated."""
    return _views(config, config.DATA.TRAIN_CROP_SIZE, (config.DATA.VAL_SHORT_SIDE,))


def views_tested(config: Config) -> PictureViews:
    """The views of each picture that are tested."""
    data, test, crops = config.DATA, config.TEST, config.TEST.NUM_SPATIAL_CROPS
    assert crops != 3, "ImageClassification.check_keys"
    sides = tuple(round(data.TEST_SHORT_SIDE * scale) for scale in test.SCALES)
    keys = "DATA.TEST_CROP_SIZE, DATA.TEST_SHORT_SIDE, TEST.SCALES, TEST.NUM_SPATIAL_CROPS"
    with naming(keys):
        return replace(
            _views(config, data.TEST_CROP_SIZE, sides),
            crops=crops,
            flips=test.FLIP,
        )


def _views(config: Config, size: int, sides: tuple[int, ...]) -> PictureViews:
    return PictureViews(
        size=size,
        sides=sides,
        crop_mode=config.DATA.CROP_MODE,
        interpolation=config.DATA.INTERPOLATION,
        fill=grey_levels(config.DATA.MEAN),
    )


def centre_pictures(config: Config, pictures: SampleList) -> CentrePictures:
    """The views that are validated."""
    return CentrePictures(
        pictures=pictures,
        views=validation_views(config),
        max_pixels=config.DATA.MAX_PIXELS,
        watchdog=build_watchdog(config),
    )


def views_of_tests(config: Config) -> PictureViewsSet:
    """How a test takes the views of a picture."""
    return PictureViewsSet(views=views_tested(config), max_pixels=config.DATA.MAX_PIXELS)
