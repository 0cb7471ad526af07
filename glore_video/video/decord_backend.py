"""Reading with decord the files that it reads right; PyAV reads the others.

decord 0.6.0 counts packets and seeks by their order, so it shows wrong frames, without an error, of
files with edit lists, open GOPs, B frames in AVI, two video streams, and of MPEG-TS. It ignores
the rotation in Matroska, and shows 10-bit and interlaced video and odd sizes in other colours. All
of this shows in the packets and the first frame, which PyAV reads beforehand. Of the files that are
left, its frames were equal to PyAV's bit for bit.
"""

import numpy as np
from torch import Tensor, from_numpy

from .pyav_backend import PyavReader
from .second_decoder import SecondDecoder, misread

try:
    import decord
except ImportError as error:
    raise ImportError(
        "the video backend 'decord' needs the package decord, which can't be imported "
        f"({error}); the backend 'pyav' reads the same frames"
    ) from error

decord.logging.set_level(decord.logging.QUIET)  # errors come as exceptions; keep stderr clean


class DecordReader(SecondDecoder):
    """See VideoReader."""

    backend = "decord"
    errors = (decord.DECORDError, RuntimeError, AssertionError)

    @staticmethod
    def _misread(known: PyavReader) -> str:
        wrong = misread(known)
        if known.survey.packets.edited:
            wrong = wrong or "edit lists"
        if known.video_streams > 1:
            wrong = wrong or "several video streams"
        return wrong

    @staticmethod
    def _open_other(path: str) -> "decord.VideoReader":
        return decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)

    def _fetch(self, wanted: list[int]) -> Tensor:
        frames = self._video.get_batch(wanted)
        if isinstance(frames, Tensor):  # somebody else in this process has set decord's bridge
            return frames
        return from_numpy(frames.asnumpy() if hasattr(frames, "asnumpy") else np.asarray(frames))
