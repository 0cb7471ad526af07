"""Decoded frames -> uint8 RGB pictures, turned as players show them."""

from av.video.frame import VideoFrame

from .errors import VideoError
from .frame_conversion import FrameConverter
from .orientation import Orientation
from .reader import Take


def other_size(number: int, shape: tuple[int, int], earlier: tuple[int, int]) -> str:
    """What is wrong with a frame of another height and width than earlier ones."""
    return (
        f"frame {number} has {shape[1]}x{shape[0]} pixels, earlier ones {earlier[1]}x{earlier[0]}"
    )


class Pictures:
    """Converts frames of one video, which must have one size.

    Attributes:
        shape: height and width after any rotation; None until a frame was seen.
        orientation: how stored frames are turned; that of the last frame seen.
        interlaced: whether the last frame seen is made of two fields; None until then.
    """

    def __init__(
        self,
        path: str,
        shape: tuple[int, int] | None = None,
        orientation: Orientation = Orientation(),  # noqa: B008  frozen
    ) -> None:
        self.shape = shape
        self.orientation = orientation
        self.interlaced: bool | None = None
        self._path = path
        self._turn: int | None = None  # degrees, of the frame that `orientation` was read from
        self._converter = FrameConverter()

    def put(self, frame: VideoFrame, number: int, take: Take) -> None:
        """Hand on a frame. Raises VideoError if it is not of the size of earlier ones."""
        # Side data and their frame refer to each other, so that a frame whose side data were looked at
        # stays in memory until Python searches for circles: 12 MB each of 4K video.
        if frame.rotation != self._turn:
            self._turn, self.orientation = frame.rotation, Orientation.of(frame)
        self.interlaced = frame.interlaced_frame
        picture = self.orientation.apply(self._converter.to_rgb(frame))
        height, width = picture.shape[:2]
        if self.shape is None:
            self.shape = (height, width)
        if self.shape != (height, width):
            raise VideoError(self._path, other_size(number, (height, width), self.shape))
        take(number, picture)
