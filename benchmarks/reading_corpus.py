"""Videos like those of Kinetics-400 for benchmarks: 340x256, 300 frames, textured, moving."""

from pathlib import Path

import av
import numpy as np

FRAMES, HEIGHT, WIDTH, FPS = 300, 256, 340, 30
# Kind -> ending, codec, keyframe interval, bits a second.
KINDS = {
    "H.264, GOP 250": ("mp4", "libx264", 250, 500_000),
    "H.264, GOP 30": ("mp4", "libx264", 30, 500_000),
    "MPEG-4 AVI": ("avi", "mpeg4", 12, 900_000),
}


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """uint8 (height, width, 3): noise of several sizes, as surfaces have."""
    total = np.zeros((height, width, 3))
    for size, weight in ((64, 60), (16, 40), (4, 20), (2, 8)):
        shape = (height // size + 2, width // size + 2, 3)
        coarse = rng.normal(size=shape).repeat(size, 0).repeat(size, 1)
        kernel = np.ones(size) / size
        for axis in (0, 1):
            coarse = np.apply_along_axis(np.convolve, axis, coarse, kernel, mode="same")
        total += weight * coarse[:height, :width]
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def pictures(seed: int) -> list[np.ndarray]:
    """A camera that wanders over a scene in which three things move, with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    scene = _texture(rng, 640, 800)
    things = [_texture(rng, 70, 60) for _ in range(3)]
    phases = rng.uniform(0, 6.28, (4, 2))
    noise = rng.normal(0, 2, (HEIGHT + 64, WIDTH + 64, 3))
    shown = []
    for i in range(FRAMES):
        y, x = (150 + 140 * np.sin(i / np.array((70, 90)) + phases[3])).astype(int)
        image = scene[y : y + HEIGHT, x : x + WIDTH].astype(np.float64)
        for thing, phase in zip(things, phases, strict=False):
            top, left = (np.array((90, 130)) * (1 + np.sin(i / np.array((17, 23)) + phase))).astype(
                int
            )
            image[top : top + 70, left : left + 60] = thing
        dy, dx = rng.integers(64, size=2)
        image += noise[dy : dy + HEIGHT, dx : dx + WIDTH]
        shown.append(np.clip(image, 0, 255).astype(np.uint8))
    return shown


def encode(path: Path, codec: str, gop: int, bit_rate: int, images: list[np.ndarray]) -> None:
    partial = path.with_stem("partial")
    with av.open(str(partial), "w") as container:
        options = {"preset": "medium"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.gop_size, stream.bit_rate = gop, bit_rate
        if codec != "libx264":
            stream.max_b_frames = 0
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    partial.rename(path)


def build(folder: Path, videos: int) -> dict[str, list[str]]:
    """Paths by kind; what lies in the folder already is kept."""
    paths: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for seed in range(videos):
        images: list[np.ndarray] = []
        for kind, (ending, codec, gop, bit_rate) in KINDS.items():
            path = folder / f"{codec}_{gop}_{seed}.{ending}"
            if not path.exists():
                images = images or pictures(seed)
                encode(path, codec, gop, bit_rate, images)
            paths[kind].append(str(path))
    return paths
