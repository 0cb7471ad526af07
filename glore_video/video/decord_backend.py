"""Reading with decord the files that it reads right; PyAV reads the others.

decord 0.6.0 counts packets and seeks by their order, so it shows wrong frames, without an error, of
files with edit lists, open GOPs, B frames in AVI, two video streams, and of MPEG-TS. It ignores
the rotation in Matroska, and shows 10-bit video and odd sizes in other colours. All of this shows
in the packet index and the first frame, which PyAV reads beforehand. Of the files that are left,
its frames were equal to PyAV's bit for bit.
"""

import os

import numpy as np
from torch import Tensor, from_numpy

from .pyav_backend import PyavReader
from .reader import Damaged, VideoReader
from .second_decoder import SecondDecoder, log_once, misread
from .video_index import VideoIndex

try:
    import decord
except ImportError as error:
    raise ImportError(
        "the video backend 'decord' needs the package decord, which can't be imported "
        f"({error}); the backend 'pyav' reads the same frames"
    ) from error

decord.logging.set_level(decord.logging.QUIET)  # errors come as exceptions; keep stderr clean

_ERRORS = (decord.DECORDError, RuntimeError, AssertionError)


class DecordReader(SecondDecoder):
    """See VideoReader."""

    def __init__(self, known: PyavReader, video: "decord.VideoReader") -> None:
        super().__init__(known)
        self._video: decord.VideoReader | None = video

    def close(self) -> None:
        self._video = None  # frees it
        super().close()

    def _fetch(self, wanted: list[int]) -> Tensor | None:
        assert self._video is not None
        try:
            frames = self._video.get_batch(wanted)
        except _ERRORS:
            self._video = None
            return None
        if isinstance(frames, Tensor):  # somebody else in this process has set decord's bridge
            return frames
        return from_numpy(frames.asnumpy() if hasattr(frames, "asnumpy") else np.asarray(frames))


def open_decord(
    path: str, *, index: VideoIndex | None = None, damaged: Damaged = "error"
) -> VideoReader:
    """A DecordReader, or a PyavReader if decord would not read this file right."""
    known = PyavReader(path, index=index, damaged=damaged)
    try:
        wrong = misread(known)
        if known.survey.packets.edited:
            wrong = wrong or "edit lists"
        if known.video_streams > 1:
            wrong = wrong or "several video streams"
        if not wrong:
            video = decord.VideoReader(os.path.abspath(path), ctx=decord.cpu(0), num_threads=1)
            if len(video) == known.num_frames:
                return DecordReader(known, video)
            wrong = "files of which it counts other frames"
        log_once("decord", wrong)
    except _ERRORS:
        pass
    except BaseException:
        known.close()
        raise
    return known
