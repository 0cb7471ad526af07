"""A classifying network with all that it needs to be shown a file: views, colours, class names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from glore_video.data.sample_kind import SampleKind
from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.engine.inference import forward_pass
from glore_video.engine.precision import Precision
from glore_video.errors import SampleError
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.prediction import Prediction, probabilities_of
from glore_video.tasks.classification.view_logits import Views, view_logits
from glore_video.tasks.sample_sets import ViewsSet

_CPU = Precision(device=torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class ViewsPredictor:
    """A network in eval mode and how it is shown a file: the half of a Predictor (tasks/predictor.py)
    that is the same for videos and pictures.

    Attributes:
        network: takes (batch, 3, *positions), returns logits (batch, classes).
        class_names: by label.
        views: how the views of a file are taken, as in a test; of no files.
        normalize: colours.
        precision: device and numbers.
        batch_size: views a forward pass.
        source: where the weights are from, in words.
    """

    kind: ClassVar[SampleKind]
    unreadable: ClassVar[type[SampleError]]
    list_type: ClassVar[type[SampleList]] = SampleList

    network: nn.Module
    class_names: tuple[str, ...]
    views: ViewsSet
    normalize: Normalize
    precision: Precision = field(default=_CPU)
    batch_size: int = 8
    source: str = ""

    def items(
        self,
        paths: Sequence[str],
        *,
        indices: Sequence[int] | None = None,
        watchdog: Watchdog | None = None,
    ) -> ViewsSet:
        """The data set of these files' views, or of those at the indices."""
        samples = self.list_type(Path(), paths, [0] * len(paths))
        return self.views.showing(samples, watchdog=watchdog).at(indices)

    def predict(self, path: str | os.PathLike[str]) -> Prediction:
        """The mean over the views of the softmax.

        Raises:
            SampleError: the file can't be read.
            NotFiniteError: the network's scores are not finite.
        """
        name = os.fspath(path)
        item = self.items([name])[0]
        if item.views is None:
            path, reason = item.failures[-1]
            suffix = os.path.splitext(name)[1].lower()
            if suffix and suffix not in self.kind.suffixes:
                reason += f"; the network takes {self.kind.words}"
            raise self.unreadable(path, reason)
        return self.prediction_of(item.views, name)

    def prediction_of(self, views: Views, path: str) -> Prediction:
        """What an item's views come to. Raises NotFiniteError."""
        return Prediction(path, self.class_names, probabilities_of(self.logits(views), path))

    def logits(self, views: Views) -> Tensor:
        """float32 (views, classes), on the CPU."""
        forward = forward_pass(self.network, normalize=self.normalize, precision=self.precision)
        return view_logits(forward, views, self.batch_size)

    def input(self, view: Tensor) -> Tensor:
        """The network's input: uint8 (3, *positions) -> float (1, 3, *positions)."""
        return self.normalize(view[None], self.precision.device)
