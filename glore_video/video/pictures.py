"""Decoded frames -> uint8 RGB pictures, turned as players show them."""

from av.video.frame import VideoFrame

from .errors import VideoError
from .frame_conversion import FrameConverter
from .orientation import Orientation
from .reader import Take


class Pictures:
    """Converts frames of one video, which must have one size.

    Attributes:
        shape: height and width after any rotation; None until a frame was seen.
        orientation: how stored frames are turned; that of the last frame seen.
    """

    def __init__(
        self,
        path: str,
        shape: tuple[int, int] | None = None,
        orientation: Orientation = Orientation(),  # noqa: B008  frozen
    ) -> None:
        self.shape = shape
        self.orientation = orientation
        self._path = path
        self._converter = FrameConverter()

    def put(self, frame: VideoFrame, number: int, take: Take) -> None:
        """Hand on a frame. Raises VideoError if it is not of the size of earlier ones."""
        self.orientation = Orientation.of(frame)
        picture = self.orientation.apply(self._converter.to_rgb(frame))
        height, width = picture.shape[:2]
        if self.shape is None:
            self.shape = (height, width)
        if self.shape != (height, width):
            raise VideoError(
                self._path,
                f"frame {number} has {width}x{height} pixels, earlier ones "
                f"{self.shape[1]}x{self.shape[0]}",
            )
        take(number, picture)
