"""A network with all that it needs to be shown a file: how files are read, colours, class names."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from glore_video.data.sample_kind import SampleKind
from glore_video.data.samples import SampleList
from glore_video.data.watchdog import Watchdog
from glore_video.engine.inference import forward_pass
from glore_video.engine.precision import Precision
from glore_video.errors import SampleError, UsageError
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.predictor import Measure, Prediction
from glore_video.tasks.sample_sets import ViewsSet

_CPU = Precision(device=torch.device("cpu"))
_Said = TypeVar("_Said", bound=Prediction)


class NotFiniteError(UsageError):
    """A network that answers NaN or infinity.

    Args:
        what: was shown to it.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: the network's scores are not finite (NaN or infinity), so there is no "
            "prediction; its weights or statistics may have diverged"
        )


@dataclass(frozen=True, kw_only=True)
class FilePredictor(ABC, Generic[_Said]):
    """The part of a Predictor (tasks/predictor.py) that is the same whatever a network says of a file.

    Attributes:
        network: takes (batch, 3, *positions).
        class_names: by label.
        normalize: colours.
        precision: device and numbers.
        batch_size: inputs a forward pass.
        source: where the weights are from, in words.
    """

    kind: ClassVar[SampleKind]
    unreadable: ClassVar[type[SampleError]]
    measure: ClassVar[Measure]
    list_type: ClassVar[type[SampleList]] = SampleList

    network: nn.Module
    class_names: tuple[str, ...]
    normalize: Normalize
    precision: Precision = field(default=_CPU)
    batch_size: int = 8
    source: str = ""

    @property
    @abstractmethod
    def shown(self) -> ViewsSet:
        """How files are read for the network; of no files."""

    @abstractmethod
    def prediction_of(self, views: Any, path: str) -> _Said:
        """What an item's views come to. Raises NotFiniteError."""

    def items(
        self,
        paths: Sequence[str],
        *,
        indices: Sequence[int] | None = None,
        watchdog: Watchdog | None = None,
    ) -> ViewsSet:
        """The data set of these files' views, or of those at the indices."""
        samples = self.list_type(Path(), paths, [0] * len(paths))
        return self.shown.showing(samples, watchdog=watchdog).at(indices)

    def predict(self, path: str | os.PathLike[str]) -> _Said:
        """What the network says of a file.

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

    @property
    def forward(self) -> Callable[[Tensor], Any]:
        """uint8 (n, 3, *positions) -> the network's outputs, on its device."""
        return forward_pass(self.network, normalize=self.normalize, precision=self.precision)

    def input(self, view: Tensor) -> Tensor:
        """The network's input: uint8 (3, *positions) -> float (1, 3, *positions)."""
        return self.normalize(view[None], self.precision.device)
