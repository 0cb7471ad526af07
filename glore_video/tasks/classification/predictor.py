"""A classifying network with all that it needs to be shown a file: views, colours, class names."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from glore_video.tasks.classification.prediction import Prediction, probabilities_of
from glore_video.tasks.classification.view_logits import Views, view_logits
from glore_video.tasks.file_predictor import FilePredictor
from glore_video.tasks.sample_sets import ViewsSet


@dataclass(frozen=True, kw_only=True)
class ViewsPredictor(FilePredictor[Prediction]):
    """The half of a Predictor (tasks/predictor.py) that is the same for videos and pictures.

    Attributes:
        network: takes (batch, 3, *positions), returns logits (batch, classes).
        views: how the views of a file are taken, as in a test; of no files.
    """

    measure = "probability"

    views: ViewsSet

    @property
    def shown(self) -> ViewsSet:
        return self.views

    def prediction_of(self, views: Views, path: str) -> Prediction:
        """The mean over the views of the softmax. Raises NotFiniteError."""
        return Prediction(path, self.class_names, probabilities_of(self.logits(views), path))

    def logits(self, views: Views) -> Tensor:
        """float32 (views, classes), on the CPU."""
        return view_logits(self.forward, views.to(self.precision.device), self.batch_size)
