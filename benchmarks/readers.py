"""Ways to read a clip, and thirty views, of other packages: each with one thread, the file opened anew.

A reader takes a path and ascending frame numbers and returns uint8-like (frames, height, width, 3).
"""

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import torch

from glore_video.video import VideoIndex, open_video, read_index

Reader = Callable[[str, list[int]], object]
STRIDE = 8
CROP, TOP, LEFTS = 224, 16, (0, 58, 116)  # three crops of frames of 340x256


def package_reader(backend: str, *, keep: bool = False) -> Reader:
    """This package. keep: with an index that was made before."""
    kept: dict[str, VideoIndex] = {}

    def read(path, indices):
        if keep and path not in kept:
            kept[path] = read_index(path)
        with open_video(path, backend=backend, index=kept.get(path)) as video:
            return video.frames(indices)

    return read


def decode_only() -> Reader:
    """The floor: no more than must be decoded. No index, no check, no colours; gives nothing."""
    kept: dict[str, VideoIndex] = {}

    def read(path, indices):
        if path not in kept:
            kept[path] = read_index(path)
        packets = kept[path].packets
        wanted = {packets.pts[i] for i in indices}
        last = {packets.keyframe_before(i): packets.pts[i] for i in indices}
        with av.open(path) as container:
            stream = container.streams.video[0]
            decoder = stream.codec_context
            decoder.thread_count = 1
            for keyframe, end in last.items():
                container.seek(keyframe, stream=stream)
                for packet in container.demux(stream):
                    decoder.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                    if any(frame.pts == end for frame in packet.decode()):
                        break

    return read


def decord_reader() -> Reader:
    import decord

    def read(path, indices):
        frames = decord.VideoReader(path, num_threads=1).get_batch(indices)
        return frames.asnumpy() if hasattr(frames, "asnumpy") else frames  # pytorchvideo's bridge

    return read


def torchcodec_reader() -> Reader:
    from torchcodec.decoders import VideoDecoder

    return lambda path, indices: (
        VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=1).get_frames_at(indices).data
    )


def opencv_reader() -> Reader:
    import cv2

    cv2.setNumThreads(1)

    def read(path, indices):
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        video.set(cv2.CAP_PROP_POS_FRAMES, indices[0])
        frames, at = [], indices[0]
        for index in indices:
            for _ in range(at, index):
                video.grab()
            frames.append(cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB))
            at = index + 1
        video.release()
        return np.stack(frames)

    return read


def _dataset(path, sampler, transform, decoder):
    from pytorchvideo.data.labeled_video_dataset import LabeledVideoDataset

    return LabeledVideoDataset(
        [(path, {"label": 0})],
        sampler,
        video_sampler=torch.utils.data.SequentialSampler,
        transform=transform,
        decode_audio=False,
        decoder=decoder,
    )


def pytorchvideo_reader(decoder: str, fps: int) -> Reader:
    """LabeledVideoDataset, with a clip sampler that takes the start it is told, and a subsample."""
    from pytorchvideo.data.clip_sampling import ClipInfo, ClipSampler

    class From(ClipSampler):
        def __init__(self, first: int, frames: int) -> None:
            super().__init__(Fraction(frames, fps))
            self.start = Fraction(first, fps)

        def __call__(self, last_clip_time, video_duration, annotation):
            return ClipInfo(self.start, self.start + self._clip_duration, 0, 0, True)

    def read(path, indices):
        sampler = From(indices[0], indices[-1] - indices[0] + 1)
        clips = _dataset(path, sampler, lambda sample: sample["video"][:, ::STRIDE], decoder)
        return next(iter(clips)).permute(1, 2, 3, 0)

    return read


def pytorchvideo_views(fps: int) -> Callable[[str], list[torch.Tensor]]:
    """ConstantClipsPerVideoSampler: each clip decoded once for its three crops, in float."""
    from pytorchvideo.data.clip_sampling import ConstantClipsPerVideoSampler

    def crop(sample):
        clip, left = sample["video"][:, ::STRIDE], LEFTS[sample["aug_index"]]
        return clip[:, :, TOP : TOP + CROP, left : left + CROP].contiguous()

    def views(path):
        sampler = ConstantClipsPerVideoSampler(Fraction(64, fps), 10, 3)
        return list(_dataset(path, sampler, crop, "pyav"))

    return views


def separate_views(read: Reader, clips: list[list[int]]) -> Callable[[str], list[np.ndarray]]:
    """A loader to which every view is an item: it opens and decodes the video for each."""

    def view(path, indices, left):
        frames = np.asarray(read(path, indices))[:, TOP : TOP + CROP, left : left + CROP]
        return np.ascontiguousarray(frames.transpose(3, 0, 1, 2))

    return lambda path: [view(path, indices, left) for indices in clips for left in LEFTS]
