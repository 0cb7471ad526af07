"""What a test of many pictures holds at the end is what it held after the first ones."""

import ctypes
import gc
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glore_video.data.masks.layouts import find_layout
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.record_shards import RecordShards
from glore_video.engine.tester import evaluate
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.segmentation.dataset import SceneSet
from glore_video.tasks.segmentation.evaluation import SceneEvaluation
from glore_video.tasks.segmentation.scene_inference import SceneInference

HEIGHT, WIDTH = 512, 1024
WARM_UP, PICTURES = 4, 24
CPU = torch.device("cpu")


def resident():
    """Bytes; without what is free but kept by the C library."""
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Noting(SceneEvaluation):
    held: list = field(default_factory=list)

    def record(self, forward, views, batch_size):
        made = super().record(forward, views, batch_size)
        if views.index in (WARM_UP, PICTURES - 1):
            self.held.append(resident())
        return made


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder that names one scene many times."""
    root = tmp_path_factory.mktemp("many")
    (root / "class_names.txt").write_text("left\nright\n")
    mask = np.tile(np.arange(WIDTH) >= WIDTH // 2, (HEIGHT, 1)).astype(np.uint8)
    picture = np.stack([100 * mask + 50] * 3, axis=2)
    for kind, values in (("images", picture), ("masks", mask)):
        folder = root / kind / "val"
        folder.mkdir(parents=True)
        Image.fromarray(values).save(folder / "00.png")
        for number in range(1, PICTURES):
            os.link(folder / "00.png", folder / f"{number:02}.png")
    return root


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc")
@pytest.mark.parametrize(
    "options",
    [
        {},
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ({"flip": True}, {"window": (400, 400)})
        ),
    ],
    ids=["whole", "mirrored", "windows"],
)
def test_nothing_is_kept_of_a_picture(many, tmp_path, options):
    layout = find_layout(many)
    evaluation = Noting(
        scenes=SceneSet(pictures=layout.load("val"), classes=layout.classes()),
        class_names=("left", "right"),
        inference=SceneInference(**options),
        keys={},
        input_shape=(3, HEIGHT, WIDTH),
        predictions=tmp_path / "predictions",
    )
    records = evaluate(
        nn.Conv2d(3, 2, 8, stride=8),
        evaluation,
        batch_size=1,
        normalize=Normalize(mean=(0.5,) * 3, std=(0.2,) * 3),
        precision=Precision(device=CPU),
        process=Process(0, 1, CPU),
        shards=RecordShards(tmp_path / "parts", {}),
    )
    assert len(records.values) == PICTURES
    first, last = evaluation.held
    # Of one byte a pixel of each picture.
    leak = HEIGHT * WIDTH * (PICTURES - 1 - WARM_UP)
    assert last - first < leak / 2, f"{(last - first) / 2**20:.1f} MiB"
