"""The prediction for one file by any kind of model."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from glore_video.errors import UsageError
from glore_video.models import list_models
from glore_video.models.networks.sources import names_a_package
from glore_video.prediction.loading import load_predictor, predictor_of
from glore_video.tasks.predictor import Prediction, Predictor

AnyModel = Predictor | nn.Module | str | Path


def predict(path: str | os.PathLike[str], model: AnyModel) -> Prediction:
    """What is in a file: for networks that classify the mean over the views of the softmax, of a
    picture and a network that segments the class of each pixel.

    Args:
        path: a video, or a picture: what the model takes.
        model: a `Predictor`; a network of `create_model`, which is put in eval mode; a name of
            the zoo or of another package (published weights); or a run's checkpoint or OUTPUT_DIR.

    Raises:
        SampleError: if the file can't be read (VideoError, PictureError).
        ValueError, FileNotFoundError: for a model of which no predictor can be made, or whose
            scores are not finite.
    """
    return as_predictor(model).predict(path)


def as_predictor(model: AnyModel) -> Predictor:
    """A model as `predict` takes it, with what it needs to be shown a file."""
    if isinstance(model, nn.Module):
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        return predictor_of(model, device=device)
    if isinstance(model, (str, Path)):
        name = str(model)
        if name in list_models() or (names_a_package(name) and not os.path.exists(name)):
            return load_predictor(model=name)
        return load_predictor(weights=model)
    if not isinstance(model, Predictor):
        raise UsageError(
            "a model is a Predictor, a network, a name of the zoo or a checkpoint, not a "
            f"{type(model).__name__}"
        )
    return model
