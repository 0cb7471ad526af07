"""The prediction for a whole video: the mean over its views, as a test makes it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from glore_video.engine.ready_model import ReadyModel, ready_model, ready_network
from glore_video.errors import UsageError
from glore_video.evaluation import top_predictions, video_probabilities
from glore_video.models import list_models
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
        ValueError, FileNotFoundError: for a model that can't be made ready.
    """
    ready = as_ready(model)
    name = os.fspath(path)
    item = ready.videos([name])[0]
    if item.views is None:
        raise VideoError(*item.failures[-1])
    probabilities = video_probabilities(ready.logits(item.views))
    return Prediction(name, ready.class_names, tuple(probabilities.tolist()))


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
