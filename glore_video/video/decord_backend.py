"""Reading with decord the files that it reads right; PyAV reads the others.

decord 0.6.0 counts packets and seeks by their order, so it shows wrong frames, without an error, of
files with edit lists, open GOPs, B frames in AVI, and of MPEG-TS. It ignores the rotation in
Matroska and shows 10-bit video in other colours. All of this shows in the packet index and the
first frame, which PyAV reads beforehand. Of the files that are left, its frames were equal to
PyAV's bit for bit. When it fails, PyAV takes over, and says how far a damaged file can be read.
"""

import torch
from torch import Tensor

from .pyav_backend import PyavReader
from .reader import Damaged, VideoReader
from .video_index import VideoIndex

try:
    import decord
except ImportError as error:
    raise ImportError(
        "the video backend 'decord' needs the package decord, which can't be imported "
        f"({error}); the backend 'pyav' reads the same frames"
    ) from error

decord.logging.set_level(decord.logging.QUIET)  # errors come as exceptions; keep stderr clean

# What was compared with sequential decoding, frame by frame.
_CODECS = {"h264", "mpeg4", "mjpeg", "vp9"}
_PIXEL_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
_ERRORS = (decord.DECORDError, RuntimeError, AssertionError)


def _is_read_right(known: PyavReader) -> bool:
    packets = known.survey.packets
    return (
        packets.exact
        and not (packets.edited or packets.open_gop or known.survey.damage)
        and known.survey.codec in _CODECS
        and known.survey.pixel_format in _PIXEL_FORMATS
        and known.upright
    )


class DecordReader(VideoReader):
    """See VideoReader. Owns `known`, the same file opened with PyAV, and closes it."""

    def __init__(self, known: PyavReader, video: "decord.VideoReader") -> None:
        self.path = known.path
        self.num_frames = known.num_frames
        self.fps = known.fps
        self._known = known
        self._video: decord.VideoReader | None = video

    @property
    def height(self) -> int:
        return self._known.height

    @property
    def width(self) -> int:
        return self._known.width

    def close(self) -> None:
        self._video = None  # frees it
        self._known.close()

    def _decode(self, wanted: list[int]) -> Tensor:
        if self._video is not None:
            try:
                return torch.from_numpy(self._video.get_batch(wanted).asnumpy())
            except _ERRORS:
                self._video = None
        return self._known.frames(wanted)


def open_decord(
    path: str, *, index: VideoIndex | None = None, damaged: Damaged = "error"
) -> VideoReader:
    """A DecordReader, or a PyavReader if decord would not read this file right."""
    known = PyavReader(path, index=index, damaged=damaged)
    try:
        if _is_read_right(known):
            video = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
            if len(video) == known.num_frames:
                return DecordReader(known, video)
    except _ERRORS:
        pass
    return known
