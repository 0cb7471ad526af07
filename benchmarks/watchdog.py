"""What a time limit for every video costs: the same clips read in place and in a process of its own.

python benchmarks/watchdog.py [video ...]; without videos it encodes one of 300 frames, 340x256.
Prints medians of CPU time (of this process and of the reading one together) and of wall time, in
milliseconds, and the ratios. Reads alternate, so that other load falls on both.
"""

import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch

from glore_video.cli.arguments import Parser, positive
from glore_video.data.video.video_list import VideoList
from glore_video.data.watchdog import Watchdog
from glore_video.pixels.augmentation import Framing
from glore_video.tasks.video_classification.dataset import EvalViews, TrainingClips
from glore_video.video import ClipSampling


def encode(path: Path) -> None:
    """H.264, 340x256, a keyframe every 250 of 300 frames; a texture that moves."""
    texture = np.random.default_rng(0).integers(0, 255, (75, 85, 3), dtype=np.uint8)
    texture = texture.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 340, 256, "yuv420p", 250
        for i in range(300):
            x, y = int(150 + 140 * np.sin(i / 25)), int(150 + 140 * np.cos(i / 31))
            picture = np.ascontiguousarray(texture[y : y + 256, x : x + 340])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def cpu(pid: int | None) -> float:
    """Seconds of this process, and of another one."""
    if pid is None:
        return time.process_time()
    with open(f"/proc/{pid}/schedstat") as file:  # of its main thread, the only one that works
        return time.process_time() + int(file.read().split()[0]) / 1e9


def measure(read, pid: int | None) -> tuple[float, float]:
    before = cpu(pid), time.perf_counter()
    read()
    return 1000 * (cpu(pid) - before[0]), 1000 * (time.perf_counter() - before[1])


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("videos", nargs="*")
    parser.add_argument("--repeats", type=positive, default=40)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = args.videos
        if not paths:
            paths = [f"{folder}/video.mp4"]
            encode(Path(paths[0]))
        videos = VideoList(Path(folder), paths, [0] * len(paths))
        sampling = ClipSampling(num_frames=8, stride=8, target_fps=30)
        kinds = {
            "training clip": lambda watchdog: TrainingClips(
                videos=videos,
                sampling=sampling,
                framing=Framing(short_sides=(256, 320), crop_size=224, flip=True),
                watchdog=watchdog,
            ),
            "30 views": lambda watchdog: EvalViews(
                videos=videos,
                sampling=sampling,
                num_clips=10,
                num_crops=3,
                short_side=256,
                crop_size=256,
                watchdog=watchdog,
            ),
        }
        print(f"{'':16}{'in place':>18}{'with a time limit':>22}{'ratio':>16}   (CPU / wall, ms)")
        for name, make in kinds.items():
            compare(name, make, len(paths), args.repeats)


def compare(name, make, num_videos: int, repeats: int) -> None:
    watchdog = Watchdog(60)
    plain, watched = make(None), make(watchdog)
    figures = {False: [], True: []}
    for turn in range(repeats + 2):
        key = (turn, turn % num_videos) if name == "training clip" else turn % num_videos
        for limited, clips in ((False, plain), (True, watched)):
            child = watchdog._child
            pid = child.pid if limited and child is not None else None
            result = measure(lambda clips=clips, key=key: clips[key], pid)
            if turn >= 2:  # the first calls import decoders and fork
                figures[limited].append(result)
    watchdog.close()
    medians = {
        limited: [statistics.median(column) for column in zip(*rows, strict=True)]
        for limited, rows in figures.items()
    }
    ratios = [b / a for a, b in zip(medians[False], medians[True], strict=True)]
    print(
        f"{name:16}{medians[False][0]:>9.1f} /{medians[False][1]:>7.1f}"
        f"{medians[True][0]:>13.1f} /{medians[True][1]:>7.1f}"
        f"{ratios[0]:>9.3f} / {ratios[1]:.3f}"
    )


if __name__ == "__main__":
    main()
