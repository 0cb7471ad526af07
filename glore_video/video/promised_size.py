"""How long a file says it is: nothing else shows that one was cut off between two packets."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from .errors import VideoError

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def is_cut_off(path: str) -> bool:
    """Whether an MP4 or Matroska file ends before its last top-level element does.

    Raises VideoError if it can't be read, or not any more.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(4)
            ends = _matroska_ends(file) if head == _EBML else _mp4_ends(file, size)
            return any(end > size for end in ends)
    except OSError as error:
        raise VideoError(path, error.strerror or str(error)) from None


def _mp4_ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Ends of the boxes of an MP4 file; nothing for other files."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        if not header[4:8].isalnum() or (at == 0 and header[4:8] != b"ftyp"):
            return
        length = int.from_bytes(header[:4], "big")
        if length == 1:  # a length of 64 bits follows
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: to the end of the file
            return
        at += length
        yield at


def _matroska_ends(file: BinaryIO) -> Iterator[int]:
    """End of the segment, if it is the first element after the header and its length is known."""
    length = _variable_int(file)
    if length is None:
        return
    file.seek(length, os.SEEK_CUR)
    if file.read(4) == _SEGMENT:
        length = _variable_int(file)
        if length is not None:
            yield file.tell() + length


def _variable_int(file: BinaryIO) -> int | None:
    """A length of 1 to 8 bytes, as EBML stores it; None if it is unknown or malformed."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value
