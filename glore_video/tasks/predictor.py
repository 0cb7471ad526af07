"""What a trained network makes of a single file: all that predict, visualize, serve and export ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from glore_video.data.sample_kind import SampleKind
from glore_video.data.watchdog import Watchdog
from glore_video.inspection.look import Look

AnyPath = str | os.PathLike[str]
Progress = Callable[[int, int], None]
"""Called with the number done and that of all."""
Report = Callable[[str, float], None]
"""Called with what is being done and how much of it is, 0..1."""
Measure = Literal["probability", "share"]
"""What the numbers of a prediction's classes are: how sure the network is, or a share of the pixels."""


class Prediction(Protocol):
    """What a network says of one file."""

    @property
    def path(self) -> str: ...

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k first classes with a number in 0..1 each, the greatest first."""


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """How the page of `serve` speaks of a file and shows it.

    Attributes:
        question: the page's heading.
        accept: what its file dialog offers, in HTML's words.
        file: name of what is made of an upload for browsers: "film.mp4".
        media_type: of that.
        most_pixels: of a frame or picture, where nobody says otherwise.
    """

    question: str
    accept: str
    file: str
    media_type: str
    most_pixels: int


@runtime_checkable
class Predictor(Protocol):
    """A network in eval mode and how it is shown a file.

    What the user has to mend is a UsageError; a file that can't be read a SampleError.
    """

    @property
    def network(self) -> nn.Module: ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """By label."""

    @property
    def source(self) -> str:
        """Where the weights are from, in words."""

    @property
    def kind(self) -> SampleKind:
        """The files that it takes."""

    @property
    def measure(self) -> Measure:
        """What the numbers beside the classes of a prediction are."""

    @property
    def words(self) -> str:
        """The views of a file: "10 clips x 3 crops"."""

    @property
    def settings(self) -> str:
        """All that predictions depend on beside the weights, the same for the same settings."""

    def with_views(
        self, *, num_clips: int = 0, num_crops: int = 0, flips: bool | None = None
    ) -> Predictor:
        """With other views of a file; what is 0 or None stays as it is.

        Raises UsageError for views that its files don't have.
        """

    def items(
        self,
        paths: Sequence[str],
        *,
        indices: Sequence[int] | None = None,
        watchdog: Watchdog | None = None,
    ) -> Dataset[Any]:
        """One item a file, as an Evaluation's loader gives them: `index`, `views`, `failures`."""

    def prediction_of(self, views: Any, path: str) -> Prediction:
        """What an item's views come to."""

    def predict(self, path: AnyPath) -> Prediction: ...

    def look(
        self,
        path: AnyPath,
        *,
        target: int | None = None,
        most_clips: int = 12,
        layer: str = "",
        progress: Progress | None = None,
    ) -> Look:
        """Grad-CAM and what the units do.

        Args:
            target: class; by default the first one.
            most_clips: of a file that has a length.
            layer: of Grad-CAM, see `grad_cam`.
        """

    def pictures(self, seen: Any, unit: str, nodes: Sequence[int]) -> Mapping[str, Image.Image]:
        """Of a Look, by what they show; "sheet" is among them. An empty unit: Grad-CAM alone."""

    def example(self, path: AnyPath | None, *, size: tuple[int, int] | None, frames: int) -> Tensor:
        """A contiguous input of the network, (1, 3, *positions), of a file or rendered.

        Args:
            size: height and width in pixels; None: those of the predictor.
            frames: likewise; only where inputs have frames.
        """

    @property
    def exhibit(self) -> Exhibit: ...

    def refuse(self, path: str, run: Callable[..., Any], *, seconds: float, pixels: int) -> str:
        """Why `serve` does not take a file, "" if it does: unreadable, damaged, too large.

        Args:
            run: run(function, *arguments) calls a function where it may hang or crash, and raises
                SampleError if it does. What it returns are bytes or plain values.
            seconds: of length, at most.
            pixels: of a frame or picture, at most.
        """

    def show(self, path: AnyPath, exhibit: Path, *, name: str, report: Report) -> dict[str, Any]:
        """What the page shows of a file, as plain values for JSON; writes the file for browsers."""


@runtime_checkable
class DrawingPredictor(Predictor, Protocol):
    """One whose predictions are pictures too: of a picture another one and a mask, of a video a film."""

    def takes_film(self, path: AnyPath) -> bool:
        """Whether a file is a video, of which `draw_film` makes something and `predict` nothing."""

    def drawn(self, drawing: Path) -> tuple[Path, ...]:
        """The files that `draw` writes for a drawing, the drawing itself first."""

    def draw(self, prediction: Any, drawing: Path) -> None:
        """Write what was predicted, each file whole; makes the folder."""

    def draw_film(
        self, path: AnyPath, film: Path, *, table: Path, k: int, progress: Progress
    ) -> Prediction:
        """Write a video drawn frame by frame, and a table of what is said of each frame, both whole.

        Args:
            film: mp4 to write.
            table: CSV to write.
            k: how many classes are named in a frame.
        """

    def draw_key(self, path: Path) -> None:
        """Write a picture of what the colours mean."""


@runtime_checkable
class FilmPredictor(Predictor, Protocol):
    """One whose files have a length: a window slides over them, a camera will do for one."""

    def film(
        self, seen: Any, unit: str, nodes: Sequence[int], path: AnyPath, *, progress: Progress
    ) -> None:
        """A Look as a film."""

    def timeline(
        self, path: AnyPath, *, window: float, hop: float, progress: Progress | None
    ) -> Any:
        """What happens when; seconds, 0: as the file's length suggests."""

    def write_timeline(self, timeline: Any, path: AnyPath) -> None:
        """As a picture or a page."""

    def write_annotated(self, timeline: Any, path: AnyPath, *, k: int, progress: Progress) -> None:
        """The film with the first k classes of each moment in it."""

    def watch(self, frames: Any, *, fps: Fraction, every: float, k: int) -> Any:
        """Seconds and the first k classes, again and again, of frames that come one by one."""
