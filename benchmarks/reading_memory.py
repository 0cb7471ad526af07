"""What reading a large video needs in memory, beside scaling its frames after all are decoded.

python benchmarks/reading_memory.py [--width 3840 --height 2160] [--file FILE]

Renders an H.264 video (FILE reads another one) and prints the most memory that a process needs above
what it had with its libraries loaded, in MiB, beside what it keeps in the end. Each figure is of a
process of its own. Needs Linux.
"""

import multiprocessing
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from memory import most_kib

from glore_video.cli.arguments import Parser, positive
from glore_video.data.video.video_list import VideoList
from glore_video.pixels.augmentation import Framing
from glore_video.pixels.transforms import resize_short_side
from glore_video.tasks.video_classification.dataset import EvalViews, TrainingClips, VideoViews
from glore_video.video import ClipSampling, clip_indices, open_video, view_starts
from glore_video.video.writing import VideoWriter

SHORT_SIDE, CROP = 256, 224


def render(path: Path, width: int, height: int, frames: int) -> None:
    """A pattern that moves, with as many frames that later ones refer to as H.264 allows."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    picture = np.kron(noise, np.ones((16, 16, 1), np.uint8))
    with VideoWriter(path, fps=Fraction(30)) as writer:
        for number in range(frames):
            writer.write(np.roll(picture, 8 * number, axis=1)[None])


def views(path: str, frames: int) -> int:
    data = EvalViews(
        videos=VideoList(Path(path), [path], [0]),
        sampling=ClipSampling(num_frames=frames, stride=64 // frames),
        num_clips=10,
        num_crops=3,
        short_side=SHORT_SIDE,
        crop_size=SHORT_SIDE,
    )
    found = data[0].views
    assert found is not None
    return found.planes.nbytes


def views_scaled_afterwards(path: str, frames: int) -> int:
    sampling = ClipSampling(num_frames=frames, stride=64 // frames)
    with open_video(path) as video:
        starts = view_starts(10, video.num_frames, sampling, video.fps)
        clips = [clip_indices(each, video.num_frames, sampling, video.fps) for each in starts]
        shown = video.frames(sorted({number for clip in clips for number in clip}))
    scaled = resize_short_side(shown, SHORT_SIDE)
    return VideoViews.cut(scaled, clips, num_crops=3, crop_size=SHORT_SIDE).planes.nbytes


def training_clip(path: str, frames: int) -> int:
    data = TrainingClips(
        videos=VideoList(Path(path), [path], [0]),
        sampling=ClipSampling(num_frames=frames, stride=64 // frames),
        framing=Framing(short_sides=(256, 320), crop_size=CROP, flip=True),
    )
    clip = data[0, 0].first
    assert clip is not None
    return clip.nbytes


def decoding(path: str, frames: int) -> int:
    """As many frames one after the other, none kept: what the decoder needs for itself."""
    with av.open(path) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, _ in enumerate(container.decode(video=0)):
            if number == 10 * frames:
                break
    return 0


def measure(run: Callable[[str, int], int], path: str, frames: int) -> tuple[float, float]:
    """MiB at most, and in the end; in this process, which is to be a new one."""
    torch.set_num_threads(1)
    before = most_kib()
    kept = run(path, frames)
    return (most_kib() - before) / 1024, kept / 2**20


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=positive, default=3840, help="of the rendered video")
    parser.add_argument("--height", type=positive, default=2160, help="of the rendered video")
    parser.add_argument("--file", help="a video to read in place of a rendered one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or f"{folder}/large.mp4"
        if not args.file:
            render(Path(path), args.width, args.height, 150)
        rows = {
            "decoding, nothing kept": decoding,
            "a training clip": training_clip,
            "10 x 3 views": views,
            "10 x 3 views, scaled after decoding": views_scaled_afterwards,
        }
        print(f"{'MiB':46}{'at most':>9}{'kept':>9}")
        context = multiprocessing.get_context("spawn")
        for frames in (8, 32):
            for name, run in rows.items():
                with context.Pool(1) as pool:
                    most, kept = pool.apply(measure, (run, path, frames))
                print(f"{f'{name}, {frames} frames a clip':46}{most:9.0f}{kept:9.1f}", flush=True)


if __name__ == "__main__":
    main()
