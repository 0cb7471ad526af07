"""Reading with torchcodec the files that it reads right; PyAV reads the others.

torchcodec 0.17 in its exact mode fails on open GOPs, on H.264 that refreshes bit by bit, on AVI
with B frames and on MPEG-TS and PS, and shows 10-bit video and odd sizes in other colours. All of
this shows in the packet index and the first frame, which PyAV reads beforehand. Of the files that
are left, its frames were equal to PyAV's bit for bit. It uses the FFmpeg libraries that the system
has.
"""

import os

import torch
from torch import Tensor

from .pyav_backend import PyavReader
from .reader import Damaged, VideoReader
from .second_decoder import SecondDecoder, log_once, misread
from .video_index import VideoIndex

try:
    from torchcodec.decoders import VideoDecoder  # type: ignore[import-not-found, unused-ignore]
except (ImportError, RuntimeError, OSError) as error:  # the last two: no FFmpeg that it can load
    raise ImportError(
        "the video backend 'torchcodec' needs the package torchcodec and FFmpeg libraries, which "
        f"can't be loaded ({str(error).strip().splitlines()[0]}); the backend 'pyav' reads the "
        "same frames"
    ) from error

_ERRORS = (RuntimeError, ValueError, IndexError)


class TorchcodecReader(SecondDecoder):
    """See VideoReader. Frames that come with another time than the packet index has are refused."""

    def __init__(self, known: PyavReader, video: "VideoDecoder") -> None:
        super().__init__(known)
        self._video: VideoDecoder | None = video

    def close(self) -> None:
        self._video = None  # frees it
        super().close()

    def _fetch(self, wanted: list[int]) -> Tensor | None:
        assert self._video is not None
        try:
            frames = self._video.get_frames_at(wanted)
        except _ERRORS:
            self._video = None
            return None
        tick = float(self._known.time_base)
        pts = self._known.survey.packets.pts
        times = torch.tensor([pts[number] * tick for number in wanted], dtype=torch.float64)
        if bool(((frames.pts_seconds - times).abs() > tick / 2).any()):
            return None
        return frames.data


def open_torchcodec(
    path: str, *, index: VideoIndex | None = None, damaged: Damaged = "error"
) -> VideoReader:
    """A TorchcodecReader, or a PyavReader if torchcodec would not read this file right."""
    known = PyavReader(path, index=index, damaged=damaged)
    try:
        wrong = misread(known)
        if not wrong:
            video = VideoDecoder(
                os.path.abspath(path), dimension_order="NHWC", num_ffmpeg_threads=1
            )
            if len(video) == known.num_frames:
                return TorchcodecReader(known, video)
            wrong = "files of which it counts other frames"
        log_once("torchcodec", wrong)
    except _ERRORS:
        pass
    except BaseException:
        known.close()
        raise
    return known
