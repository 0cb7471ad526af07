"""What backends beside PyAV share: PyAV decides who reads a file, and reads what they can't."""

import functools
import logging
from abc import abstractmethod

from torch import Tensor

from .pyav_backend import PyavReader
from .reader import VideoReader

_log = logging.getLogger(__name__)

# Of these, frames of every backend were compared with sequential decoding, one by one.
_CODECS = {"h264", "mpeg4", "mjpeg", "vp9"}
_PIXEL_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}


def misread(known: PyavReader) -> str:
    """Why another decoder may show wrong frames of this file; empty if it does not."""
    survey = known.survey
    if survey.damage:
        return "damaged files"
    if not survey.packets.exact:
        return "files whose time stamps don't tell their frames"
    if survey.packets.open_gop:
        return "open GOPs"
    if survey.codec not in _CODECS:
        return f"{survey.codec} video"
    if survey.pixel_format not in _PIXEL_FORMATS:
        return f"{survey.pixel_format} pixels"
    if not known.upright:
        return "turned video"
    if "444" not in survey.pixel_format and (known.height % 2 or known.width % 2):
        return "odd sizes with shared colours"
    return ""


@functools.cache
def log_once(backend: str, what: str) -> None:
    """Tell, the first time in this process, that PyAV reads such files in the backend's place."""
    _log.warning("%s does not read %s right: PyAV reads them in its place", backend, what)


class SecondDecoder(VideoReader):
    """A reader for files that PyAV has opened and indexed; see VideoReader.

    Owns `known`, the file opened with PyAV, and closes it. When the other decoder fails, PyAV
    takes over for good, and says how far a damaged file can be read.
    """

    def __init__(self, known: PyavReader) -> None:
        self.path = known.path
        self.num_frames = known.num_frames
        self.fps = known.fps
        self._known = known
        self._failed = False

    @property
    def height(self) -> int:
        return self._known.height

    @property
    def width(self) -> int:
        return self._known.width

    def close(self) -> None:
        self._failed = True
        self._known.close()

    @abstractmethod
    def _fetch(self, wanted: list[int]) -> Tensor | None:
        """As _decode, from the other decoder; None if it failed or gave other frames."""

    def _decode(self, wanted: list[int]) -> Tensor:
        if not self._failed:
            frames = self._fetch(wanted)
            if frames is not None:
                return frames
            self._failed = True
        try:
            return self._known.frames(wanted)
        finally:
            self.num_frames = self._known.num_frames
