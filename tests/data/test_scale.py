"""Lists as long as Kinetics-400's training set: time to load, memory of workers."""

import csv
import gc
import os
import time

import numpy as np
import pytest
import torch

from glore_video.data.video.manifest import COLUMNS
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_list import VideoList

VIDEOS = 240_000
READS = 50_000
pytestmark = pytest.mark.slow


def name(number):
    return f"videos/some class name {number % 400}/{number:011d}_000012_000022.mp4"


def write_list(path):
    path.write_text("".join(f"{name(n)} {n % 400}\n" for n in range(VIDEOS)))


def write_manifest(path):
    values = {"frames": 300, "fps": 29.97, "width": 340, "height": 256, "codec": "h264", "gop": 250}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        file.write(",".join(COLUMNS) + "\n")
        for n in range(VIDEOS):
            bad = n % 100 == 1
            row = dict.fromkeys(COLUMNS, 0) | values | {"path": name(n), "label": n % 400}
            row |= {"status": "damaged" if bad else "ok", "reason": "cut off" if bad else ""}
            writer.writerow(row.values())


def write_annotations(path):
    from glore_video.data.video.kinetics import kinetics400_class_names

    names = kinetics400_class_names()
    lines = [f"{names[n % 400]},{n:011d},12,22,train\n" for n in range(VIDEOS)]
    path.write_text("label,youtube_id,time_start,time_end,split\n" + "".join(lines))


@pytest.mark.parametrize(
    ("write", "kept"),
    [(write_list, VIDEOS), (write_manifest, VIDEOS * 99 // 100), (write_annotations, VIDEOS)],
)
def test_long_lists_load_in_seconds(tmp_path, write, kept):
    write(tmp_path / "train.csv")
    first = tmp_path / name(0)
    first.parent.mkdir(parents=True)
    first.touch()
    (tmp_path / "00000000000_000012_000022.mp4").touch()
    gc.collect()
    start = time.process_time()
    videos = load_split(tmp_path, "train", num_classes=400)
    seconds = time.process_time() - start
    print(f"{write.__name__}: {seconds:.2f} s")
    assert len(videos) == kept
    assert videos.label(kept - 1) == 399
    assert seconds < 5


def private_megabytes():
    """Memory that this process shares with no other."""
    with open("/proc/self/smaps_rollup") as file:
        fields = [line.split() for line in file]
    return sum(int(f[1]) for f in fields if f[0].startswith(("Private_", "Swap:"))) / 1024


class Names(torch.utils.data.IterableDataset):
    """Reads labels and paths in random order; gives the growth of its worker, in MB."""

    def __init__(self, videos):
        self.videos = videos

    def __iter__(self):
        rng = np.random.default_rng(0)
        self.videos.path(0)
        before = private_megabytes()
        characters = 0
        for index in rng.integers(len(self.videos), size=READS):
            characters += len(self.videos.path(index)) + self.videos.label(index)
            self.videos.index(index)
        assert characters > READS
        yield private_megabytes() - before


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_keep_no_copy(tmp_path, start_method):
    paths = [os.path.join(tmp_path, name(n)) for n in range(VIDEOS)]
    videos = VideoList(
        tmp_path,
        paths,
        [n % 400 for n in range(VIDEOS)],
        index_file=tmp_path / "none",
        index_places=[(300 * n, 200) for n in range(VIDEOS)],
    )
    loader = torch.utils.data.DataLoader(
        Names(videos), num_workers=2, batch_size=None, multiprocessing_context=start_method
    )
    growth = list(loader)
    print(f"{start_method}: {[round(mb, 2) for mb in growth]} MB")
    assert len(growth) == 2
    assert max(growth) < 5
    # The list is whole in this process after its memory was handed on.
    assert [videos.path(n) for n in (0, VIDEOS - 1)] == [paths[0], paths[-1]]
    assert videos.labels[-1] == 399


def test_a_list_sent_to_a_process_is_not_copied(tmp_path):
    """By value it would take over 20 MB."""
    from multiprocessing.reduction import ForkingPickler

    videos = VideoList(tmp_path, [name(n) for n in range(VIDEOS)], [0] * VIDEOS)
    assert len(ForkingPickler.dumps(videos)) < 10_000
