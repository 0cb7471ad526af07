"""The prediction for one file: the mean over its views of the softmax, as a test makes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.tasks.classification.views_merging import merged_probabilities, top_predictions
from glore_video.tasks.file_predictor import NotFiniteError


@dataclass(frozen=True)
class Prediction:
    """Probabilities of a file's classes.

    Attributes:
        path: the video or picture.
        class_names: by label.
        probabilities: by label, together 1.
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: tuple[float, ...]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable (class name, probability), the most probable first."""
        return best(self.probabilities, self.class_names, k)


def probabilities_of(logits: Tensor, what: str) -> tuple[float, ...]:
    """Probabilities by label, the mean over the views of the softmax.

    Args:
        logits: of all views, (views, classes).
        what: is seen in the views, for the message.

    Raises NotFiniteError.
    """
    if not bool(torch.isfinite(logits).all()):
        raise NotFiniteError(what)
    return tuple(merged_probabilities(logits).tolist())


def best(
    probabilities: tuple[float, ...], class_names: tuple[str, ...], k: int
) -> list[tuple[str, float]]:
    """The k most probable (class name, probability), the most probable first."""
    values, classes = top_predictions(torch.tensor(probabilities, dtype=torch.float64), k)
    return [
        (class_names[index], value)
        for index, value in zip(classes.tolist(), values.tolist(), strict=True)
    ]
