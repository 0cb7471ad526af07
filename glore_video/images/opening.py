"""Files of pictures, decoded by Pillow: which formats, how large, and one error for all that fails."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np

# The plug-ins that Pillow would look for only when it meets such a file, among all that it has.
from PIL import Image, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

from glore_video.files.regular_files import why_unreadable
from glore_video.images.errors import PictureError
from glore_video.images.jpeg import decode_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""By their content: what a file is called says nothing."""
MAX_PIXELS = 100_000_000
"""Width times height; decoding needs some 7 bytes a pixel."""
_BLOCK = 2**20  # bytes of a JPEG that its decoder is given at once; Pillow's 64 KiB are slower
_WHOLE = 2**26  # bytes; a JPEG that is larger is not read whole, whatever follows its pixels
_ORIENTATION = 0x0112

# What a strange file makes Pillow raise, beside its own errors, which are OSErrors. A TypeError, say,
# while it decodes would be a fault of the code, and met by the next file too.
_FAULTS = (
    *(OSError, ValueError, SyntaxError, ArithmeticError, EOFError, LookupError, MemoryError),
    *(struct.error, zlib.error),
)


@dataclass(frozen=True)
class Decoded:
    """The first picture of a file as Pillow decodes it, not yet upright.

    Attributes:
        picture: loaded, unless there is rgb; its file is closed.
        rgb: uint8 (height, width, 3), if another decoder than Pillow's gave it.
        raw_mode: how values were stored, in Pillow's words: "L;4" is grey of 4 bits. "" if unknown.
        orientation: EXIF's, 1 to 8; of TIFF always 1, which Pillow turns itself.
    """

    picture: Image.Image
    rgb: np.ndarray | None
    raw_mode: str
    orientation: int

    def upright(self, values: np.ndarray) -> np.ndarray:
        """(height, width, ...) of this picture, turned and mirrored as EXIF says; a view."""
        if self.orientation in (5, 6, 7, 8):
            values = values.swapaxes(0, 1)
        if self.orientation in (2, 3, 6, 7):
            values = values[:, ::-1]
        if self.orientation in (3, 4, 7, 8):
            values = values[::-1]
        return values


def decode(path: str | os.PathLike[str], max_pixels: int) -> Decoded:
    """Raises PictureError: no such file, none of FORMATS, cut off, damaged, too large."""
    reason = why_unreadable(path)
    if reason:
        raise PictureError(path, reason)
    # For good: in threads, `catch_warnings` would bring back another thread's filters.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with open(path, "rb") as file:
            picture = Image.open(file, formats=FORMATS)
            if picture.width * picture.height > max_pixels:
                raise PictureError(path, _too_large(max_pixels))
            raw_mode = _raw_mode(picture)
            rgb = None
            if picture.format in ("JPEG", "MPO"):
                picture.decodermaxblock = _BLOCK
                small = os.fstat(file.fileno()).st_size <= _WHOLE
                rgb = decode_rgb(file) if small and picture.mode in ("RGB", "L") else None
            if rgb is None:
                picture.load()
            return Decoded(picture, rgb, raw_mode, _orientation(picture))
    except Image.DecompressionBombError as error:
        if max_pixels <= 2 * (Image.MAX_IMAGE_PIXELS or 0):
            raise PictureError(path, _too_large(max_pixels)) from None
        raise PictureError(path, f"PIL.Image.MAX_IMAGE_PIXELS is too small: {error}") from None
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise PictureError(path, f"can't be opened as a picture: none of {known}") from None
    except PermissionError as error:
        raise PictureError(path, error.strerror or str(error)) from None
    except _FAULTS as error:
        what = str(error) or type(error).__name__
        raise PictureError(path, f"can't be decoded: {what}") from None


def _too_large(max_pixels: int) -> str:
    return f"has more than max_pixels = {max_pixels:,} pixels (DATA.MAX_PIXELS)"


def _raw_mode(picture: Image.Image) -> str:
    """How values are stored, in Pillow's words: "L;4" is grey of 4 bits. "" where nothing is known."""
    tiles = getattr(picture, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _orientation(picture: Image.Image) -> int:
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except _FAULTS:
        return 1  # the pixels are whole, whatever is beside them
