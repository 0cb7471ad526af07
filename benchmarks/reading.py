"""What reading costs: this package beside decord, torchcodec, OpenCV and pytorchvideo, in one run.

python benchmarks/reading.py [--repeats 20] [--videos 2] [--folder FOLDER]

Encodes its own videos (reading_corpus.py; FOLDER keeps them) and prints medians of CPU and wall
time in milliseconds, and the median over turns of the ratio of this package's CPU time to that of
each. One training clip is
8 frames, 8 apart, from a start that is drawn anew, of a file that is opened for it; 30 views are 10
clips by 3 crops of one video. All readers take turns, so that other load falls on all. "right"
counts results whose frames are those of sequential decoding, up to the rounding of colours.
Libraries that are not installed are left out.
"""

import logging
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import readers
import reading_corpus
import torch

from glore_video.cli.arguments import Parser, positive
from glore_video.data.video.video_list import VideoList
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video import ClipSampling, VideoError, open_video, view_starts
from glore_video.video.clip_sampling import clip_indices

FRAMES, FPS = reading_corpus.FRAMES, reading_corpus.FPS
CLIP = ClipSampling(num_frames=8, stride=readers.STRIDE)
CLIPS = [
    clip_indices(start, FRAMES, CLIP, Fraction(FPS))
    for start in view_starts(10, FRAMES, CLIP, Fraction(FPS))
]
# One gives no frames; the clips of the other begin elsewhere, by its own rule.
UNCHECKED = ("decode only, dropping", "pytorchvideo, ConstantClips")
DISTINCT = sorted({frame for clip in CLIPS for frame in clip})


@cache
def sequential(path: str) -> np.ndarray:
    """uint8 (frames, height, width, 3)."""
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def is_right(path: str, indices: list[int], frames: object) -> bool:
    shown = np.asarray(frames).astype(np.int16)
    expected = sequential(path)[indices]
    return shown.shape == expected.shape and bool(np.abs(shown - expected).mean() < 1)


def package_views(path: str) -> list[torch.Tensor]:
    data = EvalViews(
        videos=VideoList(Path(path), [path], [0]),
        sampling=CLIP,
        num_clips=10,
        num_crops=3,
        short_side=reading_corpus.HEIGHT,
        crop_size=readers.CROP,
    )
    views = data[0].views
    assert views is not None
    return [views.view(i) for i in range(len(views))]


def views_are_right(path: str, views: list) -> bool:
    """Whether the middle crop of each clip is."""
    crop = (slice(readers.TOP, readers.TOP + readers.CROP), slice(58, 58 + readers.CROP))
    expected = sequential(path)[:, crop[0], crop[1]].astype(np.int16)
    for clip, indices in zip(views[1::3], CLIPS, strict=True):
        shown = np.asarray(clip).astype(np.int16).transpose(1, 2, 3, 0)
        if np.abs(shown - expected[indices]).mean() >= 1:
            return False
    return len(views) == 30


def available(makers: dict[str, Callable[[], Callable]]) -> dict[str, Callable]:
    """Those whose libraries can be imported; prints a line about each of the others."""
    ready = {}
    for name, make in makers.items():
        try:
            ready[name] = make()
        except (ImportError, RuntimeError, OSError) as error:
            print(f"left out: {name} ({str(error).strip().splitlines()[0]})")
    return ready


def backend(name: str, *, keep: bool = False) -> Callable[[], readers.Reader]:
    def make() -> readers.Reader:
        with suppress(VideoError):  # what can't be imported shows before the file does
            open_video("", backend=name)
        return readers.package_reader(name, keep=keep)

    return make


def take_turns(
    title: str,
    tasks: dict[str, Callable],
    arguments: list[tuple],
    check: Callable[..., bool],
) -> None:
    """Measure and print a table; in each turn the first task's time is divided by the others'."""
    figures: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in tasks}
    order = list(tasks)
    for turn, what in enumerate([*arguments[:1], *arguments]):
        random.Random(turn).shuffle(order)  # none comes always after the one that empties caches
        for name in order:
            result = None  # what the last one made is freed before the clock starts
            cpu, wall = time.process_time(), time.perf_counter()
            result = tasks[name](*what)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn > 0:  # the first turn imports, and fills caches
                right = result is not None and check(*what, result)
                figures[name].append((1000 * cpu, 1000 * wall, right))
    print(f"\n{title:46}{'CPU ms':>9}{'wall ms':>9}{'ours / it':>11}{'right':>9}")
    first = [row[0] for row in next(iter(figures.values()))]
    for name, rows in figures.items():
        cpu, wall = (statistics.median(column) for column in list(zip(*rows, strict=True))[:2])
        ratio = statistics.median(a / row[0] for a, row in zip(first, rows, strict=True))
        right = "" if name in UNCHECKED else f"{sum(row[2] for row in rows)}/{len(rows)}"
        print(f"  {name:44}{cpu:9.1f}{wall:9.1f}{ratio:11.3f}{right:>9}")


def main() -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=positive, default=20, help="results of each reader")
    parser.add_argument("--videos", type=positive, default=2, help="videos of each kind")
    parser.add_argument("--folder", type=Path, help="where videos are kept from run to run")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    av.logging.set_level(av.logging.PANIC)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="reading_"))
    folder.mkdir(parents=True, exist_ok=True)
    paths = reading_corpus.build(folder, args.videos)
    clip_readers = available(
        {
            "ours": backend("pyav"),
            "ours, index kept": backend("pyav", keep=True),
            "ours, decord": backend("decord"),
            "ours, torchcodec": backend("torchcodec"),
            "decode only, dropping": readers.decode_only,
            "decord": readers.decord_reader,
            "torchcodec, exact": readers.torchcodec_reader,
            "OpenCV": readers.opencv_reader,
            "pytorchvideo, pyav": lambda: readers.pytorchvideo_reader("pyav", FPS),
            "pytorchvideo, decord": lambda: readers.pytorchvideo_reader("decord", FPS),
        }
    )
    rng = random.Random(0)
    for kind, of_kind in paths.items():
        arguments = []
        for i in range(args.repeats):
            start = rng.randrange(FRAMES - 56)
            arguments.append((of_kind[i % len(of_kind)], list(range(start, start + 57, 8))))
        take_turns(f"one training clip, {kind}", clip_readers, arguments, is_right)

    kind = next(iter(paths))
    arguments = [(paths[kind][i % args.videos], DISTINCT) for i in range(max(2, args.repeats // 4))]
    names = ("ours", "ours, index kept", "decode only, dropping")
    union = {name: clip_readers[name] for name in names}
    title = f"the {len(DISTINCT)} frames of 30 views, {kind}"
    take_turns(title, union, arguments, is_right)
    view_readers = {"ours": lambda: package_views} | {
        "pytorchvideo, ConstantClips": lambda: readers.pytorchvideo_views(FPS),
        "thirty decord reads": lambda: readers.separate_views(readers.decord_reader(), CLIPS),
        "thirty reads of ours": lambda: readers.separate_views(clip_readers["ours"], CLIPS),
    }
    take_turns(
        f"30 views, {kind}",
        available(view_readers),
        [(path,) for path, _ in arguments],
        views_are_right,
    )


if __name__ == "__main__":
    main()
