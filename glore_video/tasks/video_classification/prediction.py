"""The prediction for a whole video: the mean over its views, as a test makes it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.tasks.classification import merged_probabilities, top_predictions
from glore_video.tasks.video_classification.dataset import VideoViews
from glore_video.tasks.video_classification.predictor import Predictor
from glore_video.video import VideoError


@dataclass(frozen=True)
class Prediction:
    """Probabilities of a video's classes.

    Attributes:
        path: the video.
        class_names: by label.
        probabilities: by label, together 1.
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: tuple[float, ...]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable (class name, probability), the most probable first."""
        return best(self.probabilities, self.class_names, k)


def predict_video(path: str | os.PathLike[str], predictor: Predictor) -> Prediction:
    """What happens in a video: the mean over the views of the softmax.

    Raises:
        VideoError: if the video can't be read.
        UsageError: the network's scores are not finite.
    """
    name = os.fspath(path)
    item = predictor.videos([name])[0]
    if item.views is None:
        raise VideoError(*item.failures[-1])
    return Prediction(name, predictor.class_names, probabilities_of(item.views, predictor, name))


class NotFiniteError(UsageError):
    """A network that answers NaN or infinity."""


def probabilities_of(views: VideoViews, predictor: Predictor, what: str) -> tuple[float, ...]:
    """Probabilities by label, the mean over the views of the softmax.

    Args:
        what: is seen in the views, for the message.

    Raises:
        ValueError: the network's scores are not finite.
    """
    logits = predictor.logits(views)
    check_finite(logits, what)
    return tuple(merged_probabilities(logits).tolist())


def check_finite(logits: Tensor, what: str) -> None:
    """Raises ValueError if any of the logits, of `what`, is NaN or infinite."""
    if not bool(torch.isfinite(logits).all()):
        raise NotFiniteError(
            f"{what}: the network's scores are not finite (NaN or infinity), so there is no "
            "prediction; its weights or statistics may have diverged"
        )


def best(
    probabilities: tuple[float, ...], class_names: tuple[str, ...], k: int
) -> list[tuple[str, float]]:
    values, classes = top_predictions(torch.tensor(probabilities, dtype=torch.float64), k)
    return [
        (class_names[index], value)
        for index, value in zip(classes.tolist(), values.tolist(), strict=True)
    ]
