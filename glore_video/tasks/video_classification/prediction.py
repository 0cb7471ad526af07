"""The prediction for a whole video: the mean over its views, as a test makes it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models import list_models
from glore_video.prediction.loading import ReadyModel, ready_model, ready_network
from glore_video.tasks.classification import merged_probabilities, top_predictions
from glore_video.tasks.video_classification.dataset import VideoViews
from glore_video.video import VideoError

AnyModel = ReadyModel | nn.Module | str | Path


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


def predict(path: str | os.PathLike[str], model: AnyModel) -> Prediction:
    """What happens in a video: the mean over the views of the softmax.

    Args:
        path: video file.
        model: a `ReadyModel`; a network of `create_model`, which is put in eval mode; a name of
            the zoo (published weights); or a run's checkpoint or OUTPUT_DIR.

    Raises:
        VideoError: if the video can't be read.
        ValueError, FileNotFoundError: for a model that can't be made ready, or whose scores are not
            finite.
    """
    ready = as_ready(model)
    name = os.fspath(path)
    item = ready.videos([name])[0]
    if item.views is None:
        raise VideoError(*item.failures[-1])
    return Prediction(name, ready.class_names, probabilities_of(item.views, ready, name))


class NotFiniteError(UsageError):
    """A network that answers NaN or infinity."""


def probabilities_of(views: VideoViews, ready: ReadyModel, what: str) -> tuple[float, ...]:
    """Probabilities by label, the mean over the views of the softmax.

    Args:
        what: is seen in the views, for the message.

    Raises:
        ValueError: the network's scores are not finite.
    """
    logits = ready.logits(views)
    check_finite(logits, what)
    return tuple(merged_probabilities(logits).tolist())


def check_finite(logits: Tensor, what: str) -> None:
    """Raises ValueError if any of the logits, of `what`, is NaN or infinite."""
    if not bool(torch.isfinite(logits).all()):
        raise NotFiniteError(
            f"{what}: the network's scores are not finite (NaN or infinity), so there is no "
            "prediction; its weights or statistics may have diverged"
        )


def as_ready(model: AnyModel) -> ReadyModel:
    """A model as `predict` takes it, made ready."""
    if isinstance(model, ReadyModel):
        return model
    if isinstance(model, nn.Module):
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        return ready_network(model, device=device)
    if not isinstance(model, (str, Path)):
        raise UsageError(
            "a model is a ReadyModel, a network, a name of the zoo or a checkpoint, not a "
            f"{type(model).__name__}"
        )
    if str(model) in list_models():
        return ready_model(model=str(model))
    return ready_model(weights=model)


def best(
    probabilities: tuple[float, ...], class_names: tuple[str, ...], k: int
) -> list[tuple[str, float]]:
    values, classes = top_predictions(torch.tensor(probabilities, dtype=torch.float64), k)
    return [
        (class_names[index], value)
        for index, value in zip(classes.tolist(), values.tolist(), strict=True)
    ]
