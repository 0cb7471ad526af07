"""The task of classifying pictures: all that a run needs of it, from its configuration."""

from __future__ import annotations

from typing import Any

from glore_video.data.loader_speed import Reading
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.relations.labels import Labels
from glore_video.data.samples import SampleList
from glore_video.engine.protocols import Words
from glore_video.errors import UsageError
from glore_video.images.reading import read_image
from glore_video.models.zoo import PICTURE_ARCHITECTURES
from glore_video.tasks.classification.class_lists import ClassLists
from glore_video.tasks.classification.listed_task import ListedTask
from glore_video.tasks.image_classification.dataset import (
    CentrePictures,
    PictureViewsSet,
    TrainingPictures,
)
from glore_video.tasks.image_classification.evaluation import PictureEvaluation
from glore_video.tasks.image_classification.predictor import PicturePredictor
from glore_video.tasks.image_classification.task_data import (
    WORDS,
    centre_pictures,
    picture_lists,
    render_pictures,
    training_pictures,
    views_of_tests,
    views_tested,
)
from glore_video.tasks.image_classification.task_network import published_input
from glore_video.tasks.keys_of_no_use import OF_CLIPS, OF_SEGMENTATION, refuse_keys
from glore_video.tasks.synthetic import RELATIONS, check_labels


class ImageClassification(ListedTask[SampleList]):
    """See RunTask in tasks/protocol.py."""

    name = "image_classification"
    evaluation_type = PictureEvaluation
    predictor_type = PicturePredictor
    for_own = (
        "--cfg in1k_resnet50_glore_0_3_finetune MODEL.NUM_CLASSES 0 is for pictures of your own"
    )

    @property
    def words(self) -> Words:
        return WORDS

    @property
    def lists(self) -> ClassLists[SampleList]:
        return picture_lists(self.config)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a training crop: (3, height, width)."""
        size = self.config.DATA.TRAIN_CROP_SIZE
        return 3, size, size

    def render_samples(self, labels: Labels) -> None:
        render_pictures(self.config, labels)

    def training_set(self, samples: SampleList) -> TrainingPictures:
        return training_pictures(self.config, samples)

    def validation_set(self, samples: SampleList) -> CentrePictures:
        return centre_pictures(self.config, samples)

    @property
    def reading(self) -> Reading:
        return Reading(decoding=read_image, faster=WORDS.faster_reading)

    def views_of_tests(self) -> PictureViewsSet:
        return views_of_tests(self.config)

    def check_keys(self) -> None:
        config = self.config
        refuse_keys(config, (*OF_CLIPS, *OF_SEGMENTATION), f"whose samples are {PICTURES.words}")
        check_labels(config, RELATIONS)
        if not config.MODEL.NAME and config.MODEL.ARCH not in PICTURE_ARCHITECTURES:
            raise UsageError(
                f"MODEL.ARCH = {config.MODEL.ARCH} takes clips of videos, not pictures: MODEL.NAME "
                "names a network for pictures (timm/resnet50, say), or MODEL.ARCH is one of "
                f"{', '.join(PICTURE_ARCHITECTURES)}"
            )
        if config.SYNTHETIC.LABELS != "none" and config.TEST.FLIP:
            raise UsageError(
                f"SYNTHETIC.LABELS = {config.SYNTHETIC.LABELS} needs TEST.FLIP False: a mirrored "
                "picture has another label"
            )
        if config.TEST.NUM_SPATIAL_CROPS not in (1, 5) and "NUM_SPATIAL_CROPS" in (
            config.TEST.model_fields_set
        ):
            raise UsageError(
                f"TEST.NUM_SPATIAL_CROPS = {config.TEST.NUM_SPATIAL_CROPS}: of a picture 1, in the "
                "centre, or 5, the centre and the corners"
            )
        if not config.DATA.TRAIN_JITTER_SCALES_RELATIVE and (
            "TRAIN_JITTER_SCALES_RELATIVE" in config.DATA.model_fields_set
            or config.DATA.TRAIN_JITTER_ASPECT
        ):
            config.DATA.check_training_crop()

    def published_input(self) -> dict[str, Any]:
        return published_input(self.config)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        size = self.config.DATA.TEST_CROP_SIZE
        return {"training picture": self.input_shape, "test picture": (3, size, size)}

    @property
    def views(self) -> int:
        return views_tested(self.config).num_views

    @property
    def usual_classes(self) -> int:
        return 1000

    def facts(self) -> dict[str, str]:
        """Views of a picture."""
        views = views_tested(self.config)
        sides = ", ".join(str(side) for side in views.sides)
        return {
            "views a picture": str(views.num_views),
            "test scaling": f"{views.crop_mode}, {sides} pixels, {views.interpolation}",
        }
