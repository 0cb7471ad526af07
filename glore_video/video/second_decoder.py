"""What backends beside PyAV share: PyAV decides who reads a file, and reads what they can't."""

import functools
import logging
import os
from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from glore_video.choices import Damaged

from .frame_times import FrameTimes
from .pyav_backend import PyavReader
from .reader import Take, VideoReader
from .video_index import VideoIndex

_BATCH = 32 << 20  # bytes of frames that are asked for at once

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
    if known.interlaced:
        return "interlaced video"
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

    backend: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]  # that the other decoder raises

    def __init__(self, known: PyavReader, video: Any) -> None:
        self.path = known.path
        self.num_frames = known.num_frames
        self.fps = known.fps
        self._known = known
        self._video = video  # the other decoder's; None when it has failed or is closed

    @classmethod
    def open(
        cls, path: str, *, index: VideoIndex | None = None, damaged: Damaged = "error"
    ) -> VideoReader:
        """Such a reader, or a PyavReader if the other decoder would not read this file right."""
        known = PyavReader(path, index=index, damaged=damaged)
        try:
            wrong = cls._misread(known)
            if not wrong:
                video = cls._open_other(os.path.abspath(path))
                if len(video) == known.num_frames:
                    return cls(known, video)
                wrong = "files of which it counts other frames"
            log_once(cls.backend, wrong)
        except cls.errors:
            pass
        except BaseException:
            known.close()
            raise
        return known

    @staticmethod
    def _misread(known: PyavReader) -> str:
        """Why the decoder may show wrong frames of this file; empty if it does not."""
        return misread(known)

    @staticmethod
    @abstractmethod
    def _open_other(path: str) -> Any:
        """The file opened with the other decoder; its len() is the number of frames."""

    @abstractmethod
    def _fetch(self, wanted: list[int]) -> Tensor | None:
        """uint8 (len(wanted), height, width, 3) of the other decoder; None if it gave other frames."""

    @property
    def times(self) -> FrameTimes:
        return self._known.times

    @property
    def height(self) -> int:
        return self._known.height

    @property
    def width(self) -> int:
        return self._known.width

    def close(self) -> None:
        self._video = None  # frees it
        self._known.close()

    def _decode(self, wanted: list[int], take: Take) -> None:
        size = max(1, _BATCH // (3 * self.height * self.width))
        for start in range(0, len(wanted), size):
            batch = wanted[start : start + size]
            frames = self._fetched(batch)
            if frames is None:
                self._video = None
                try:
                    # All of them: it may find out only now that their numbers are others.
                    self._known._decode(wanted, take)
                finally:
                    self.num_frames, self.fps = self._known.num_frames, self._known.fps
                return
            for number, picture in zip(batch, frames.numpy(), strict=True):
                take(number, picture)

    def _fetched(self, wanted: list[int]) -> Tensor | None:
        if self._video is None:
            return None
        try:
            return self._fetch(wanted)
        except self.errors:
            return None
