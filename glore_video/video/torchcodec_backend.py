"""Reading with torchcodec the files that it reads right; PyAV reads the others.

torchcodec 0.17 in its exact mode fails on open GOPs, on H.264 that refreshes bit by bit, on AVI
with B frames and on MPEG-TS and PS, and shows 10-bit video and odd sizes in other colours. All of
this shows in the packet index and the first frame, which PyAV reads beforehand. Of the files that
are left, its frames were equal to PyAV's bit for bit. It uses the FFmpeg libraries that the system
has.
"""

import torch
from torch import Tensor

from .second_decoder import SecondDecoder

try:
    from torchcodec.decoders import VideoDecoder  # type: ignore[import-not-found, unused-ignore]
except (ImportError, RuntimeError, OSError) as error:  # the last two: no FFmpeg that it can load
    raise ImportError(
        "the video backend 'torchcodec' needs the package torchcodec and FFmpeg libraries, which "
        f"can't be loaded ({str(error).strip().splitlines()[0]}); the backend 'pyav' reads the "
        "same frames"
    ) from error


class TorchcodecReader(SecondDecoder):
    """See VideoReader. Frames that come with another time than the packet index has are refused."""

    backend = "torchcodec"
    errors = (RuntimeError, ValueError, IndexError)

    @staticmethod
    def _open_other(path: str) -> "VideoDecoder":
        return VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=1)

    def _fetch(self, wanted: list[int]) -> Tensor | None:
        frames = self._video.get_frames_at(wanted)
        tick = float(self._known.time_base)
        pts = self._known.survey.packets.pts
        times = torch.tensor([pts[number] * tick for number in wanted], dtype=torch.float64)
        if bool(((frames.pts_seconds - times).abs() > tick / 2).any()):
            return None
        return frames.data
