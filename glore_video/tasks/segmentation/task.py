"""The task of segmenting pictures: all that a run needs of it, from its configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glore_video.data.masks.known_classes import classes_of_weights
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.samplers import shard
from glore_video.data.samples import SampleList
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import ValidationData
from glore_video.errors import naming
from glore_video.pixels.masked_crops import MaskedCrops
from glore_video.pixels.normalize import grey_levels
from glore_video.tasks.segmentation.dataset import SceneSet, TrainingScenes, WholeScenes
from glore_video.tasks.segmentation.evaluation import SceneEvaluation
from glore_video.tasks.segmentation.meter import IoUMeter, PixelMeter
from glore_video.tasks.segmentation.objective import PixelCrossEntropy
from glore_video.tasks.segmentation.picture_set import WholePictures
from glore_video.tasks.segmentation.predictor import ScenePredictor
from glore_video.tasks.segmentation.published import published_input
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.segmentation.task_keys import check_keys
from glore_video.tasks.segmentation.task_lists import ListedScenes
from glore_video.tasks.segmentation.task_network import build_network
from glore_video.tasks.task_base import build_watchdog, num_workers


class Segmentation(ListedScenes):
    """See RunTask in tasks/protocol.py."""

    name = "segmentation"

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
        check_keys(self.config)
        _ = self.inference  # raises for what can't be

    def build_network(self) -> nn.Module | None:
        return build_network(self.config)

    def published_input(self) -> dict[str, Any]:
        return published_input(self.config)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = {"training picture": self.input_shape}
        if self.config.TEST.WINDOW:
            shapes["test window"] = (3, *self.config.TEST.WINDOW)
        return shapes

    @property
    def lighter_test(self) -> str:
        height, width = self.input_shape[1:]
        return f"a smaller one, or TEST.WINDOW [{height}, {width}] instead of whole pictures"

    @property
    def usual_classes(self) -> int:
        """Cityscapes'."""
        return 19

    def example_targets(self, count: int) -> torch.Tensor:
        """int64 (count, height, width)."""
        return torch.zeros(count, *self.input_shape[1:], dtype=torch.int64)

    def facts(self) -> dict[str, str]:
        """How pictures are tested."""
        return {"a test looks at": self.inference.words}
