"""The prediction for one video by any kind of model."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models import list_models
from glore_video.prediction.loading import load_predictor, predictor_of
from glore_video.tasks.video_classification.prediction import Prediction, predict_video
from glore_video.tasks.video_classification.predictor import Predictor

AnyModel = Predictor | nn.Module | str | Path


def predict(path: str | os.PathLike[str], model: AnyModel) -> Prediction:
    """What happens in a video: the mean over the views of the softmax.

    Args:
        path: video file.
        model: a `Predictor`; a network of `create_model`, which is put in eval mode; a name of
            the zoo (published weights); or a run's checkpoint or OUTPUT_DIR.

    Raises:
        VideoError: if the video can't be read.
        ValueError, FileNotFoundError: for a model of which no predictor can be made, or whose
            scores are not finite.
    """
    return predict_video(path, as_predictor(model))


def as_predictor(model: AnyModel) -> Predictor:
    """A model as `predict` takes it, with what it needs to be shown a video."""
    if isinstance(model, Predictor):
        return model
    if isinstance(model, nn.Module):
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        return predictor_of(model, device=device)
    if not isinstance(model, (str, Path)):
        raise UsageError(
            "a model is a Predictor, a network, a name of the zoo or a checkpoint, not a "
            f"{type(model).__name__}"
        )
    if str(model) in list_models():
        return load_predictor(model=str(model))
    return load_predictor(weights=model)
