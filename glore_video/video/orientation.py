"""How a stored frame must be turned to be seen upright: the display matrix of a container."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_ONE = 1 << 16  # of the matrix, which holds 16.16 fixed-point numbers


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to turn and mirror a picture: transpose, then flips."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def of(cls, frame: "VideoFrame") -> "Orientation":
        """The orientation in the frame's side data; upright for an angle that is no multiple of 90.

        A point (x, y) of the stored frame is shown at (a x + c y, b x + d y), where the matrix
        begins a, b, u, c, d (FFmpeg, libavutil/display.h), apart from a shift.
        """
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls()
        # av's annotations don't tell that side data is a buffer.
        a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].tolist()  # type: ignore[call-overload, unused-ignore]
        if b == c == 0 and abs(a) == abs(d) == _ONE:
            return cls(flip_rows=d < 0, flip_columns=a < 0)
        if a == d == 0 and abs(b) == abs(c) == _ONE:
            return cls(transpose=True, flip_rows=b < 0, flip_columns=c < 0)
        return cls()

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width as stored -> as seen."""
        return (width, height) if self.transpose else (height, width)

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """(height, width, 3) as stored -> as seen; a view."""
        if self.transpose:
            picture = picture.transpose(1, 0, 2)
        if self.flip_rows:
            picture = picture[::-1]
        if self.flip_columns:
            picture = picture[:, ::-1]
        return picture
