"""The task of segmenting pictures: all that a run needs of it, from its configuration."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from glore_video.data.masks.checking import check_masks, spread_indices
from glore_video.data.masks.known_classes import classes_of_weights
from glore_video.data.masks.layouts import Layout, find_layout
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.relations.streets import render_streets
from glore_video.data.samplers import shard
from glore_video.data.samples import SampleList
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import ValidationData, Words
from glore_video.errors import MissingFileError, UsageError, naming
from glore_video.pixels.masked_crops import MaskedCrops
from glore_video.pixels.normalize import grey_levels
from glore_video.processes.cpus import usable_cpus
from glore_video.tasks.keys_of_no_use import OF_CLIPS, refuse_keys
from glore_video.tasks.segmentation.dataset import SceneSet, TrainingScenes, WholeScenes
from glore_video.tasks.segmentation.evaluation import SceneEvaluation
from glore_video.tasks.segmentation.meter import IoUMeter, PixelMeter
from glore_video.tasks.segmentation.objective import PixelCrossEntropy, check_class_weights
from glore_video.tasks.segmentation.picture_set import WholePictures
from glore_video.tasks.segmentation.predictor import ScenePredictor
from glore_video.tasks.segmentation.published import published_input
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.segmentation.task_network import build_network, check_network_keys
from glore_video.tasks.synthetic import STREETS, check_labels, in_synthetic_keys
from glore_video.tasks.task_base import BaseTask, build_watchdog, num_workers

logger = logging.getLogger(__name__)

WORDS = Words(
    sample="picture",
    input="picture",
    faster_reading="make pictures smaller, or TRAIN.BATCH_SIZE",
)
_FOR_OWN = "images/<split> beside masks/<split> with class_names.txt are for masks of your own"
_LOOKED_AT = 64  # masks of each list, before a run starts
_OF_CLASSES = (
    *("DATA.PATH_LABEL_SEPARATOR", "DATA.VAL_LABELS_PATH", "DATA.CROP_MODE", "DATA.PATH_PREFIX"),
    *("DATA.TRAIN_JITTER_SCALES", "DATA.TRAIN_JITTER_ASPECT", "DATA.TRAIN_JITTER_SCALES_RELATIVE"),
    *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", "DATA.INV_UNIFORM_SAMPLE", "DATA.VAL_SHORT_SIDE"),
    *("DATA.TEST_SHORT_SIDE", "DATA.TEST_CROP_SIZE", "AUG.NUM_SAMPLE", "AUG.RE_SPLIT"),
    *("AUG.LABEL_SMOOTHING", "MIXUP", "TEST.NUM_SPATIAL_CROPS"),
)


class Segmentation(BaseTask):
    """See RunTask in tasks/protocol.py."""

    name = "segmentation"

    @property
    def words(self) -> Words:
        return WORDS

    @cached_property
    def layout(self) -> Layout:
        """Where the pictures and masks lie in DATA.PATH_TO_DATA_DIR."""
        if not self.config.DATA.PATH_TO_DATA_DIR:
            raise UsageError(
                "DATA.PATH_TO_DATA_DIR is empty: give the folder of pictures and masks: Cityscapes' "
                "(leftImg8bit, gtFine), Pascal VOC's, or images/ and masks/ with class_names.txt"
            )
        return find_layout(self.config.DATA.PATH_TO_DATA_DIR)

    @property
    def renders(self) -> str:
        return f"synthetic {self.words.samples}" if self.config.SYNTHETIC.LABELS != "none" else ""

    def render(self) -> None:
        if self.renders:
            synthetic = self.config.SYNTHETIC
            with in_synthetic_keys(self.config, self.words.samples, _FOR_OWN):
                render_streets(
                    self.config.DATA.PATH_TO_DATA_DIR,
                    num_train=synthetic.NUM_TRAIN,
                    num_val=synthetic.NUM_VAL,
                    size=synthetic.SIZE,
                    seed=synthetic.SEED,
                )

    @cached_property
    def classes(self) -> MaskClasses:
        """Of the masks; they are MODEL.NUM_CLASSES."""
        classes = self.layout.classes(self.config.DATA.CLASS_NAMES_PATH)
        wanted = self.config.MODEL.NUM_CLASSES
        if wanted and wanted != len(classes):
            raise UsageError(
                f"{self.config.DATA.PATH_TO_DATA_DIR}: {len(classes)} classes, but "
                f"MODEL.NUM_CLASSES = {wanted} (0: as many as there are)"
            )
        return classes

    @cached_property
    def _lists(self) -> dict[str, MaskedList]:
        return {}

    def listed(self, split: str) -> MaskedList:
        """The list of "train", "val" or "test" that the run needs, read once."""
        name = self.config.TEST.SPLIT if split == "test" else split
        if name not in self._lists:
            self._lists[name] = self.samples(name)
        return self._lists[name]

    def samples(self, split: str) -> MaskedList:
        trained = self.config.TRAIN.SPLIT
        if split == "train" and trained != split:
            with naming(f"TRAIN.SPLIT = {trained}"):
                return self.layout.load(trained)
        try:
            return self.layout.load(split)
        except MissingFileError as error:
            if split == "test" and self.has_split("val"):
                raise MissingFileError(
                    f"{error}; TEST.SPLIT val tests on what is validated"
                ) from None
            raise

    def has_split(self, split: str) -> bool:
        try:
            there = self.layout.splits()
        except UsageError:
            return False
        return (self.config.TRAIN.SPLIT if split == "train" else split) in there

    def names(self) -> tuple[str, ...]:
        return self.classes.names

    def count_classes(self) -> tuple[int, str]:
        classes = self.layout.classes(self.config.DATA.CLASS_NAMES_PATH)
        return len(classes), f"{self.layout.name} in {self.layout.root}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of a training crop: (3, height, width)."""
        data = self.config.DATA
        return 3, data.TRAIN_CROP_HEIGHT or data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE

    @property
    def input_keys(self) -> str:
        return "DATA.TRAIN_CROP_SIZE, DATA.TRAIN_CROP_HEIGHT"

    @property
    def objective(self) -> PixelCrossEntropy:
        loss = self.config.LOSS
        return PixelCrossEntropy(
            class_weights=loss.CLASS_WEIGHTS,
            auxiliary=loss.AUXILIARY,
            hard=loss.OHEM_THRESHOLD,
            least=loss.OHEM_MIN_KEPT,
        )

    @property
    def train_meter(self) -> PixelMeter:
        return PixelMeter()

    @property
    def val_meter(self) -> IoUMeter:
        plain = replace(self.objective, hard=0.0)
        return IoUMeter(self.config.MODEL.NUM_CLASSES, plain)

    def training_set(self, samples: SampleList) -> TrainingScenes:
        assert isinstance(samples, MaskedList)
        config = self.config
        low, high = config.DATA.TRAIN_SCALES or (1.0, 1.0)
        return TrainingScenes(
            pictures=samples,
            classes=self.classes,
            crops=MaskedCrops(
                scales=(low, high),
                crop_size=(self.input_shape[1], self.input_shape[2]),
                flip=config.DATA.RANDOM_FLIP,
                fill=grey_levels(config.DATA.MEAN),
                colour_jitter=config.AUG.COLOR_JITTER if config.AUG.ENABLE else 0.0,
            ),
            max_pixels=config.DATA.MAX_PIXELS,
            seed=config.RNG_SEED,
            watchdog=build_watchdog(config),
        )

    def validation_set(self, samples: SampleList) -> WholeScenes:
        assert isinstance(samples, MaskedList)
        return WholeScenes(
            pictures=samples,
            classes=self.classes,
            max_pixels=self.config.DATA.MAX_PIXELS,
            watchdog=build_watchdog(self.config),
        )

    def validation_data_of(self, samples: SampleList, process: Process) -> ValidationData:
        """One picture at a time: their sizes may differ."""
        own = shard(len(samples), rank=process.rank, world_size=process.world_size)
        loader = self._loader(self.validation_set(samples), sampler=own, batch_size=1)
        return ValidationData(loader, samples)

    @property
    def inference(self) -> SceneInference:
        """How a test looks at a picture."""
        test = self.config.TEST
        with naming("TEST.SCALES, TEST.WINDOW, TEST.WINDOW_STRIDE"):
            return SceneInference(
                scales=test.SCALES,
                flip=test.FLIP,
                window=test.WINDOW,
                stride=test.WINDOW_STRIDE,
                interpolation=self.config.DATA.INTERPOLATION,
            )

    def evaluation(self) -> SceneEvaluation:
        """The test of the test list."""
        config, pictures = self.config, self.listed("test")
        height, width = config.TEST.WINDOW or self.input_shape[1:]
        return SceneEvaluation(
            scenes=SceneSet(
                pictures=pictures,
                classes=self.classes,
                max_pixels=config.DATA.MAX_PIXELS,
                with_instances=pictures.instances_known == len(pictures),
                watchdog=build_watchdog(config),
            ),
            class_names=self.class_names,
            inference=self.inference,
            keys=self.keys,
            input_shape=(3, height, width),
            predictions=Path(config.OUTPUT_DIR) / "test" / "predictions",
            keep_predictions=config.TEST.SAVE_PREDICTIONS,
            num_workers=num_workers(config),
            stop_on_timeout=config.DATA_LOADER.VIDEO_TIMEOUT_ACTION == "stop",
        )

    def predictor(
        self, network: nn.Module, *, class_names: tuple[str, ...], precision: Precision, source: str
    ) -> ScenePredictor:
        height, width = self.config.TEST.WINDOW or self.input_shape[1:]
        count = self.config.MODEL.NUM_CLASSES
        classes = classes_of_weights(class_names, count, lambda: self.classes)
        return ScenePredictor(
            network=network,
            class_names=classes.names,
            classes=classes,
            inference=self.inference,
            views=WholePictures(max_pixels=self.config.DATA.MAX_PIXELS),
            normalize=self.normalize,
            precision=precision,
            source=source,
            example_size=(height, width),
        )

    def check_keys(self) -> None:
        config = self.config
        refuse_keys(config, (*OF_CLIPS, *_OF_CLASSES), "whose samples are pictures with masks")
        check_labels(config, STREETS)
        check_network_keys(config)
        _ = self.inference  # raises for what can't be
        if config.AUG.ENABLE and config.AUG.AA_TYPE:
            raise UsageError(
                f"AUG.AA_TYPE = {config.AUG.AA_TYPE}: RandAugment would move pictures and not their "
                'masks; with AUG.AA_TYPE "" AUG.ENABLE is colour jitter and erasing'
            )
        if config.MODEL.LOSS_FUNC != "cross_entropy":
            raise UsageError(
                f"MODEL.LOSS_FUNC = {config.MODEL.LOSS_FUNC}: a segmentation has cross_entropy"
            )
        if config.MODEL.NUM_CLASSES:
            check_class_weights(
                config.LOSS.CLASS_WEIGHTS, config.MODEL.NUM_CLASSES, "LOSS.CLASS_WEIGHTS"
            )

    def build_network(self) -> nn.Module | None:
        return build_network(self.config)

    def published_input(self) -> dict[str, Any]:
        return published_input(self.config)

    def warn_of_lists(self, *, is_main: bool) -> None:
        """Read the lists and some of their masks, and log what the user should know."""
        config = self.config
        splits = ["train", "val"] * config.TRAIN.ENABLE + ["test"] * config.TEST.ENABLE
        for samples in {id(each): each for each in map(self.listed, splits)}.values():
            if not is_main:
                continue
            for note in samples.notes:
                logger.warning("%s", note)
            missing = len(samples) - samples.instances_known
            if config.TEST.ENABLE and 0 < missing < len(samples) and samples is self.listed("test"):
                logger.warning(
                    "%s: %d of %d pictures have no picture of their instances: the test has no iIoU",
                    *(samples.source, missing, len(samples)),
                )
            found = check_masks(
                samples,
                self.classes,
                indices=spread_indices(len(samples), _LOOKED_AT),
                max_pixels=config.DATA.MAX_PIXELS,
                threads=usable_cpus(),
            )
            if found.checked and len(found.faults) == found.checked:
                raise UsageError(
                    f"{samples.source}: none of the {found.checked} masks that were looked at can be "
                    f"used: {found.faults[0].path}: {found.faults[0].reason}"
                )
            for line in found.lines():
                logger.warning("%s: %s", samples.source, line)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = {"training picture": self.input_shape}
        if self.config.TEST.WINDOW:
            shapes["test window"] = (3, *self.config.TEST.WINDOW)
        return shapes

    def facts(self) -> dict[str, str]:
        """How pictures are tested."""
        return {"a test looks at": self.inference.words}

    def training_length(self) -> int | str:
        if not self.config.DATA.PATH_TO_DATA_DIR:
            return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
        if self.renders:
            return self.config.SYNTHETIC.NUM_TRAIN
        return super().training_length()
