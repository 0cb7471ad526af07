"""The part of a Predictor (tasks/predictor.py) that is the same for all networks that take pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from PIL import Image
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.images.errors import PictureError
from glore_video.inspection.adjacency_chart import draw_adjacency
from glore_video.inspection.picture_look import PictureLook
from glore_video.inspection.picture_sheet import graph_of, sheet_of
from glore_video.inspection.sheet import SheetRow
from glore_video.tasks.example_picture import example_picture
from glore_video.tasks.file_predictor import FilePredictor
from glore_video.tasks.picture_files import PictureFiles
from glore_video.tasks.predictor import AnyPath, Exhibit, Prediction
from glore_video.tasks.shown_picture import ACCEPT, refuse_picture

_Said = TypeVar("_Said", bound=Prediction)


@dataclass(frozen=True, kw_only=True)
class OfPictures(FilePredictor[_Said], Generic[_Said]):
    """A FilePredictor of pictures.

    Attributes:
        question: the heading of the page of `serve`.
        most_shown: pixels of a picture that the page takes, where `max_pixels` of reading is not lower.
    """

    unreadable = PictureError
    question: ClassVar[str]
    most_shown: ClassVar[int]

    @property
    @abstractmethod
    def shown(self) -> PictureFiles: ...

    @property
    @abstractmethod
    def input_size(self) -> tuple[int, int]:
        """Height and width of inputs that a network is exported for."""

    def more_tiles(self, seen: Any) -> Sequence[SheetRow]:
        """Of a look's sheet, beside the maps."""
        return ()

    def pictures(self, seen: Any, unit: str, nodes: Sequence[int]) -> dict[str, Image.Image]:
        """A sheet of maps over the picture, and the nodes' adjacency as a heat map and as a graph."""
        assert isinstance(seen, PictureLook)
        sheet = sheet_of(seen, unit, nodes, self.class_names, more=self.more_tiles(seen))
        if not unit:
            return {"sheet": sheet}
        return {
            "sheet": sheet,
            "adjacency": draw_adjacency(seen.units[unit].adjacency, title=unit),
            "graph": graph_of(seen, unit, nodes),
        }

    def example(
        self,
        path: AnyPath | None = None,
        *,
        size: tuple[int, int] | None = None,
        frames: int = 0,
    ) -> Tensor:
        """(1, 3, height, width): the picture's middle. Raises UsageError for frames."""
        if frames:
            raise UsageError("frames are those of clips, and the network takes pictures")
        shown = example_picture(path, size or self.input_size, self.shown.max_pixels)
        return self.input(shown).contiguous()

    @property
    def exhibit(self) -> Exhibit:
        return Exhibit(
            question=self.question,
            accept=ACCEPT,
            file="picture.jpg",
            media_type="image/jpeg",
            most_pixels=min(self.shown.max_pixels, self.most_shown),
        )

    def refuse(self, path: str, run: Any, *, seconds: float, pixels: int) -> str:
        return refuse_picture(path, run, pixels=min(pixels, self.shown.max_pixels))
