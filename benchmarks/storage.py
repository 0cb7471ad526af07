"""What the size of the pictures and the distance of keyframes cost in reading a training clip.

python benchmarks/storage.py [--repeats 25]; encodes its videos itself (a minute). Prints mean CPU
milliseconds for 8 frames, stride 8, from a random start, scaled to a short side of 256, with the
ratio to 340x256 at the same GOP, as measured and as glore_video.data.video.reading_cost estimates it.
"""

import random
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch
from torch.nn import functional as F

from glore_video.cli.arguments import Parser, positive
from glore_video.data.video.reading_cost import clip_milliseconds
from glore_video.pixels.transforms import resize_short_side
from glore_video.video import open_video

FRAMES = 300
SIZES = ((340, 256), (640, 480), (1280, 720))
GOPS = (250, 30)


def encode(path: Path, width: int, height: int, gop: int) -> None:
    """H.264 of a smooth texture with fine noise on it that moves."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (1, 3, height // 8 + 60, width // 8 + 60)).astype(np.float32)
    smooth = F.interpolate(torch.from_numpy(coarse), scale_factor=8, mode="bilinear")[0]
    noise = torch.from_numpy(rng.integers(-12, 12, smooth.shape))
    texture = (smooth + noise).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    with av.open(str(path), "w") as container:
        options = {"preset": "medium", "crf": "23", "x264-params": "scenecut=0"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", gop
        for i in range(FRAMES):
            x, y = int(150 + 140 * np.sin(i / 25)), int(150 + 140 * np.cos(i / 31))
            picture = np.ascontiguousarray(texture[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def clip_cpu(path: Path) -> float:
    start = time.process_time()
    with open_video(path) as video:
        first = random.randrange(video.num_frames - 56)
        frames = video.frames(range(first, first + 57, 8))
    resize_short_side(frames, 256)
    return 1000 * (time.process_time() - start)


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--repeats", type=positive, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':10}{'GOP':>5}{'ms':>9}{'ratio':>8}{'estimate':>10}")
        for gop in GOPS:
            measured: list[float] = []
            estimated: list[float] = []
            for width, height in SIZES:
                path = Path(folder) / "video.mp4"
                encode(path, width, height, gop)
                random.seed(1)
                times = [clip_cpu(path) for _ in range(args.repeats + 2)]
                measured.append(statistics.mean(times[2:]))
                estimated.append(
                    clip_milliseconds(frames=FRAMES, gop=gop, width=width, height=height)
                )
                print(
                    f"{f'{width}x{height}':10}{gop:>5}{measured[-1]:>9.1f}"
                    f"{measured[-1] / measured[0]:>8.2f}{estimated[-1] / estimated[0]:>10.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
