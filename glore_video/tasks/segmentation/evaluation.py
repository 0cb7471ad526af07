"""Testing a segmentation: a confusion matrix of each picture, predictions as label PNGs."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

from glore_video.data.loader import views_loader
from glore_video.data.masks.masked_list import MaskedList
from glore_video.engine.protocols import Records
from glore_video.files.whole_files import replace_file
from glore_video.statistics.confusion import confusion_matrix
from glore_video.statistics.instance_iou import InstanceRules, instance_counts
from glore_video.tasks.score_keys import changes_scores
from glore_video.tasks.segmentation.dataset import Scene, SceneSet
from glore_video.tasks.segmentation.official_scores import instance_rules
from glore_video.tasks.segmentation.picture_confusions import PictureConfusions
from glore_video.tasks.segmentation.picture_records import RecordForm
from glore_video.tasks.segmentation.report import write_report
from glore_video.tasks.segmentation.results import (
    SceneSummary,
    summarize,
    write_results,
)
from glore_video.tasks.segmentation.scene_frames import SceneFrames
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.segmentation.tested_form import tested_form

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SceneEvaluation:
    """An Evaluation (engine/protocols.py) of a list of pictures with masks.

    Attributes:
        scenes: what is tested.
        class_names: by class.
        inference: how a picture is looked at.
        keys: plain values of the configuration's keys.
        input_shape: (3, height, width) of what costs are counted for.
        predictions: folder that predictions are written into, which the report shows.
        keep_predictions: leave them there.
        num_workers: processes that read pictures beside this one.
        stop_on_timeout: whether a picture that takes too long to read ends the test.
    """

    scenes: SceneSet
    class_names: tuple[str, ...]
    inference: SceneInference
    keys: Mapping[str, Any]
    input_shape: tuple[int, int, int]
    predictions: Path
    keep_predictions: bool = False
    num_workers: int = 0
    stop_on_timeout: bool = False
    noun: str = "picture"

    @property
    def samples(self) -> MaskedList:
        return self.scenes.pictures

    @property
    def form(self) -> RecordForm:
        """Of a record: pixels by true and predicted class, and those without a finite score."""
        return RecordForm(len(self.class_names), self.scenes.with_instances)

    @property
    def record_shape(self) -> tuple[int, int]:
        return self.form.shape

    @property
    def settings(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for index in range(len(self.samples)):
            paths = [self.samples.path(index), self.samples.mask(index)]
            if self.scenes.with_instances:
                paths.append(self.samples.instances(index))
            for path in paths:
                digest.update(os.fsencode(path) + b"\0")
        kept = {key: value for key, value in self.keys.items() if changes_scores(key)}
        return {"list": digest.hexdigest(), **kept}

    def describe(self) -> str:
        return f"{len(self.samples)} pictures, {self.inference.words}"

    def loader(self, indices: Sequence[int]) -> Iterable[Any]:
        return views_loader(
            self.scenes.at(indices),
            num_workers=self.num_workers,
            stop_on_timeout=self.stop_on_timeout,
        )

    def tested_form(self, network: nn.Module) -> nn.Module:
        """See `tested_form`."""
        return tested_form(network)

    def record(self, forward: Callable[[Tensor], Any], views: Scene, batch_size: int) -> np.ndarray:
        """float32 of record_shape; the picture's prediction is written beside it."""
        classes = len(self.class_names)
        columns = self.inference.class_map(forward, views.picture, batch_size)
        predicted = columns.cpu().numpy()
        save_prediction(
            self._predicted_at(views.index),
            self.scenes.classes.numbers(predicted),
        )
        target = views.target.to(columns.device)
        matrix = confusion_matrix(columns, target, classes, columns=classes + 1)
        counts = None
        if views.instances is not None:
            counts = instance_counts(predicted, views.instances.numpy(), self._rules)
        return self.form.record(matrix.cpu().numpy(), counts)

    @cached_property
    def _rules(self) -> InstanceRules:
        return instance_rules(self.scenes.classes)

    def summarize(self, records: Records) -> SceneSummary:
        return summarize(self._seen(records), self.scenes.classes)

    def write(
        self, folder: Path, records: Records, summary: SceneSummary, facts: Mapping[str, Any]
    ) -> None:
        for path, reason in records.failed:
            logger.warning("not scored, unreadable: %s: %s", path, reason)
        write_results(
            folder,
            self._seen(records),
            summary,
            classes=self.scenes.classes,
            facts={"views": self.inference.words, **facts},
        )
        if summary.pictures_scored:
            logger.info("test: %s, %s; results in %s", summary.line, self.inference.words, folder)

    def report(self, folder: Path, records: Records) -> None:
        """report.html; no predictions stay but those of this test's pictures, if they are wanted."""
        write_report(
            folder, self._seen(records), classes=self.scenes.classes, frames_of=self.frames
        )
        if not self.keep_predictions:
            shutil.rmtree(self.predictions, ignore_errors=True)
            return
        own = {self._predicted_at(index) for index in records.indices.tolist()}
        there = set(self.predictions.rglob("*.png"))
        for path in there - own:
            path.unlink()
        if missing := sorted(own - there):
            logger.warning(
                "%d predictions are gone, which the test had written before it was stopped; %s for "
                "one",
                *(len(missing), missing[0]),
            )

    @property
    def frames(self) -> SceneFrames:
        """What the report shows of a picture."""
        return SceneFrames(self.scenes, self._predicted_at)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the predictions: a picture's own name without its ending.

        With folders from where paths part on, if two pictures have the same name.
        """
        paths = [PurePath(path) for path in self.samples.paths()]
        names = [path.stem for path in paths]
        if len(set(names)) < len(names):
            root = os.path.commonpath([path.parent for path in paths])
            names = [path.relative_to(root).with_suffix("").as_posix() for path in paths]
        return tuple(names)

    def _predicted_at(self, index: int) -> Path:
        return self.predictions / f"{self.names[index]}.png"

    def _seen(self, records: Records) -> PictureConfusions:
        return PictureConfusions(
            matrices=self.form.matrices(records.values),
            instances=self.form.instances(records.values),
            paths=tuple(self.samples.path(index) for index in records.indices.tolist()),
            failed=records.failed,
            left_out=tuple(self.samples.left_out),
        )


def save_prediction(path: Path, labels: np.ndarray) -> None:
    """Write uint8 or uint16 (height, width) as a grey PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    # Runs of equal labels alone: a fifth of the time of zlib's usual search, and a smaller file.
    Image.fromarray(labels).save(content, "PNG", compress_type=zlib.Z_RLE)
    replace_file(path, content.getvalue())
