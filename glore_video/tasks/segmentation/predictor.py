"""What a segmentation network makes of a picture or video: see tasks/predictor.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glore_video.data.masks.known_classes import SCENES
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.video.video_files import VIDEOS
from glore_video.engine.inference import forward_pass
from glore_video.errors import UsageError
from glore_video.inspection.picture_look import inspect_picture
from glore_video.inspection.sheet import SheetRow
from glore_video.models import glore_units
from glore_video.reports.drawing import save
from glore_video.tasks.picture_predictor import OfPictures
from glore_video.tasks.predictor import AnyPath, Progress, Report
from glore_video.tasks.segmentation.colour_key import draw_key
from glore_video.tasks.segmentation.colours import overlaid
from glore_video.tasks.segmentation.film import write_segmented_film
from glore_video.tasks.segmentation.inspection import SceneLook, cut_mask, first_view, score_of
from glore_video.tasks.segmentation.picture_set import WholePictures
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.segmentation.segmented import (
    Segmented,
    SegmentedPicture,
    mask_beside,
    segmented,
)
from glore_video.tasks.segmentation.served import MOST_PIXELS, shown_scene
from glore_video.tasks.segmentation.tested_form import tested_form


@dataclass(frozen=True, kw_only=True)
class ScenePredictor(OfPictures[SegmentedPicture]):
    """A network in eval mode and how it is shown a picture. See DrawingPredictor.

    Attributes:
        network: takes (batch, 3, height, width), returns logits (batch, classes, height, width), or a
            mapping with them as "out".
        classes: colours and numbers of the classes of these names.
        inference: how a picture is looked at, as in a test.
        example_size: height and width of inputs that a network is exported for.
    """

    kind = SCENES
    measure = "share"
    question = "What is where in this picture?"
    most_shown = MOST_PIXELS

    classes: MaskClasses
    inference: SceneInference = field(default_factory=SceneInference)
    views: WholePictures = field(default_factory=WholePictures)
    example_size: tuple[int, int] = (512, 512)

    def __post_init__(self) -> None:
        if self.classes.names != self.class_names:
            raise UsageError(f"class_names are {self.class_names}, classes {self.classes.names}")

    @property
    def shown(self) -> WholePictures:
        return self.views

    @property
    def words(self) -> str:
        return self.inference.words

    @property
    def settings(self) -> str:
        colours = (self.normalize.mean, self.normalize.std)
        kept = (self.inference, self.views.max_pixels, colours, self.class_names)
        return repr((*kept, self.classes.stored))

    def with_views(
        self, *, num_clips: int = 0, num_crops: int = 0, flips: bool | None = None
    ) -> ScenePredictor:
        """Raises UsageError for clips and for several crops."""
        if num_clips:
            raise UsageError("clips are views of videos, and the network takes pictures")
        if num_crops > 1:
            raise UsageError(
                "crops are views of networks that classify; a segmentation looks at whole pictures, or "
                "in the windows of TEST.WINDOW"
            )
        if flips is None:
            return self
        return replace(self, inference=replace(self.inference, flip=flips))

    @cached_property
    def forward(self) -> Callable[[Tensor], Any]:
        """uint8 (n, 3, height, width) -> logits, as coarse as the head gives them; of the network as it is
        at the first call."""
        tested = tested_form(self.network)
        return forward_pass(tested, normalize=self.normalize, precision=self.precision)

    def prediction_of(self, views: Tensor, path: str) -> SegmentedPicture:
        """Of a picture uint8 (1, height, width, 3). Raises NotFiniteError."""
        seen = self.inference.class_map(self.forward, views, self.batch_size)
        return segmented(seen, views, path, self.classes)

    def takes_film(self, path: AnyPath) -> bool:
        name = os.fspath(path)
        return VIDEOS.holds(name) and not self.kind.holds(name)

    def drawn(self, drawing: Path) -> tuple[Path, ...]:
        return drawing, mask_beside(drawing)

    def draw(self, prediction: SegmentedPicture, drawing: Path) -> None:
        prediction.draw(drawing)

    def draw_film(
        self,
        path: AnyPath,
        film: AnyPath,
        *,
        table: AnyPath,
        k: int = 5,
        progress: Progress | None = None,
    ) -> Segmented:
        """See `write_segmented_film`."""
        return write_segmented_film(
            path,
            film,
            table=table,
            classes=self.classes,
            segment=lambda frame: self.prediction_of(frame, os.fspath(path)),
            k=k,
            progress=progress,
        )

    def draw_key(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(draw_key(self.classes, range(len(self.classes))), path)

    def look(
        self,
        path: AnyPath,
        *,
        target: int | None = None,
        most_clips: int = 1,
        cam: bool = True,
        layer: str = "",
        progress: Progress | None = None,
    ) -> SceneLook:
        """Grad-CAM and what GloRe units do, in the first view of a test, for the pixels of a class.

        The class and its share of the picture are those of `predict`.

        Args:
            target: class; by default that of most pixels.
            most_clips: of no effect on a picture.
            cam, layer: whether to compute Grad-CAM, and of which layer; see `grad_cam`.
            progress: called with the number of views done and that of all.

        Raises:
            PictureError: the picture can't be read.
            UsageError: for an unknown class or layer, or if the network's scores are not finite.
        """
        seen = self.predict(path)
        chosen = seen.largest(1)[0] if target is None else target
        if not 0 <= chosen < len(self.classes):
            raise UsageError(f"target must be a class in 0..{len(self.classes) - 1}, got {target}")
        return self.look_at(seen, chosen, cam=cam, layer=layer, progress=progress)

    def look_at(
        self,
        seen: SegmentedPicture,
        target: int,
        *,
        cam: bool,
        layer: str = "",
        progress: Progress | None = None,
    ) -> SceneLook:
        """See `look`; of a picture that was segmented already."""
        view, rectangle = first_view(self.inference, torch.from_numpy(seen.picture)[None])
        units, heat = inspect_picture(
            self.network, self.input(view), target=score_of(target), cam=cam, layer=layer
        )
        if progress is not None:
            progress(1, 1)
        shown = view.permute(1, 2, 0).numpy()
        return SceneLook(
            path=seen.path,
            target=target,
            probability=seen.shares[target],
            view=shown,
            units=units,
            cam=heat,
            overlay=overlaid(
                shown, cut_mask(seen.mask, rectangle, shown), seen.classes.colour_table
            ),
            rectangle=rectangle,
        )

    @property
    def input_size(self) -> tuple[int, int]:
        return self.example_size

    def more_tiles(self, seen: SceneLook) -> list[SheetRow]:
        return [SheetRow("what it says", "", pictures=seen.overlay[None])]

    def show(self, path: AnyPath, exhibit: Path, *, name: str, report: Report) -> dict[str, Any]:
        """See `shown_scene`. Raises PictureError if the picture can't be read."""
        report("predicting", 0.0)
        seen = self.predict(path)
        look = None
        if glore_units(self.network):
            report("looking closer", 0.5)
            look = self.look_at(seen, seen.largest(1)[0], cam=False)
        return shown_scene(seen, look, exhibit, name=name)
