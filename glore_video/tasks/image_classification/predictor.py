"""What a network that classifies pictures makes of one: see tasks/predictor.py."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glore_video.data.pictures.picture_files import PICTURES
from glore_video.errors import UsageError
from glore_video.images.reading import read_image
from glore_video.inspection.picture_look import PictureLook, inspect_picture
from glore_video.models import glore_units
from glore_video.tasks.classification.prediction import Prediction
from glore_video.tasks.classification.predictor import ViewsPredictor
from glore_video.tasks.classification.ranking import predicted_classes
from glore_video.tasks.image_classification.dataset import PictureViewsSet
from glore_video.tasks.picture_predictor import OfPictures
from glore_video.tasks.predictor import AnyPath, Progress, Report
from glore_video.tasks.shown_picture import (
    MOST_PIXELS,
    shown_look,
    write_small,
)

_CLASSES = 5


@dataclass(frozen=True, kw_only=True)
class PicturePredictor(ViewsPredictor, OfPictures[Prediction]):
    """A network in eval mode and how it is shown a picture. See Predictor.

    Attributes:
        network: takes (batch, 3, height, width), returns logits (batch, classes).
        views: how the views of a picture are taken, as in a test; without pictures.
    """

    kind = PICTURES
    question = "What is in this picture?"
    most_shown = MOST_PIXELS

    views: PictureViewsSet

    @property
    def shown(self) -> PictureViewsSet:
        return self.views

    @property
    def words(self) -> str:
        return self.views.views.words

    @property
    def settings(self) -> str:
        colours = (self.normalize.mean, self.normalize.std)
        return repr((self.views.views, self.views.max_pixels, colours, self.class_names))

    def with_views(
        self, *, num_clips: int = 0, num_crops: int = 0, flips: bool | None = None
    ) -> PicturePredictor:
        """Raises UsageError for numbers that can't be, and for clips."""
        if num_clips:
            raise UsageError("clips are views of videos, and the network takes pictures")
        changes: dict[str, Any] = {"crops": num_crops} if num_crops else {}
        if flips is not None:
            changes["flips"] = flips
        return replace(self, views=replace(self.views, views=replace(self.views.views, **changes)))

    def look(
        self,
        path: AnyPath,
        *,
        target: int | None = None,
        most_clips: int = 1,
        cam: bool = True,
        layer: str = "",
        progress: Progress | None = None,
    ) -> PictureLook:
        """Grad-CAM and what GloRe units do, in the first view of a test.

        The class and its probability are those of `predict`, from all views.

        Args:
            target: class; by default the most probable one.
            most_clips: of no effect on a picture.
            cam, layer: whether to compute Grad-CAM, and of which layer; see `grad_cam`.
            progress: called with the number of views done and that of all.

        Raises:
            PictureError: the picture can't be read.
            UsageError: the network has no GloRe unit and `cam` is False, for an unknown class or
                layer, or if its scores are not finite.
        """
        if not (cam or glore_units(self.network)):
            raise UsageError(
                "the network has no GloRe unit, so without Grad-CAM nothing is left to see"
            )
        probabilities = self.predict(path).probabilities
        scores = torch.tensor(probabilities, dtype=torch.float64)
        chosen = int(predicted_classes(scores)) if target is None else target
        if not 0 <= chosen < len(probabilities):
            raise UsageError(f"target must be a class in 0..{len(probabilities) - 1}, got {target}")
        view = self.first_view(read_image(path, max_pixels=self.views.max_pixels))
        units, heat = inspect_picture(
            self.network, self.input(view), target=chosen, cam=cam, layer=layer
        )
        if progress is not None:
            progress(1, 1)
        return PictureLook(
            path=os.fspath(path),
            target=chosen,
            probability=probabilities[chosen],
            view=view.permute(1, 2, 0).numpy(),
            units=units,
            cam=heat,
        )

    def first_view(self, picture: Tensor) -> Tensor:
        """uint8 (1, height, width, 3) -> (3, size, size), the first of the views."""
        views = self.views.views
        return replace(views, crops=1, flips=False, sides=views.sides[:1])(picture)[0]

    @property
    def input_size(self) -> tuple[int, int]:
        side = self.views.views.size
        return side, side

    def show(self, path: AnyPath, exhibit: Path, *, name: str, report: Report) -> dict[str, Any]:
        """Name, size (width, height), top, and look (None for networks without GloRe units).

        Raises PictureError if the picture can't be read.
        """
        report("predicting", 0.0)
        prediction = self.predict(path)
        picture = read_image(path, max_pixels=self.views.max_pixels)
        height, width = picture.shape[1:3]
        look = None
        if glore_units(self.network):
            report("looking closer", 0.5)
            look = shown_look(
                self.look(path, cam=False),
                self.views.views.first_rectangle(height, width),
                (height, width),
                self.class_names,
            )
        write_small(picture, exhibit)
        return {
            "name": name,
            "size": [width, height],
            "top": [
                {"name": label, "probability": value} for label, value in prediction.top(_CLASSES)
            ],
            "look": look,
        }
