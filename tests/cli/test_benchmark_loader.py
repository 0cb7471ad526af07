"""glore-video benchmark-loader as it is called, and the advice that it gives."""

import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from encoded_videos import encode

from glore_video.cli.benchmark_loader import main
from glore_video.data.batches import SampleItem
from glore_video.data.loader import samples_loader
from glore_video.data.loader_speed import (
    Reading,
    Shares,
    advice_line,
    inputs_per_second,
    reading_shares,
)
from glore_video.data.samplers import TrainingBatches
from glore_video.video import VideoReader, open_video

ROOT = Path(__file__).parents[2]


class SlowItems(torch.utils.data.Dataset):
    """An item takes 5 ms of `seconds`, a clock that nothing else moves; the first one half a second."""

    seconds = 0.0

    def __len__(self):
        return 12

    def __getitem__(self, key):
        self.seconds += 0.005 if self.seconds else 0.5
        return SampleItem(torch.zeros(1, 3, 1, 1, 1, dtype=torch.uint8), 0, key[1])


def test_inputs_per_second_of_known_items(monkeypatch):
    items = SlowItems()
    clock = SimpleNamespace(perf_counter=lambda: items.seconds)
    monkeypatch.setattr("glore_video.data.loader_speed.time", clock)
    batches = TrainingBatches(12, batch_size=4, seed=0)
    loader = samples_loader(items, num_workers=0, pin_memory=False, batches=batches)
    speed = inputs_per_second(loader, batches, num_batches=7)  # over more than two epochs
    assert speed == pytest.approx(200)
    assert batches.epoch == 2


FASTER = "see glore-video check-data for what smaller files with shorter GOPs would save"
READING_VIDEOS = Reading(opening=open_video, decoding=VideoReader.frames, faster=FASTER)


class Reads(torch.utils.data.Dataset):
    """Opens a video, gets two frames and then transforms them for 20 ms."""

    def __init__(self, path):
        self.path = path

    def __getitem__(self, key):
        with open_video(self.path) as video:
            frames = video.frames([0, key])
        time.sleep(0.02)
        return frames


def test_reading_shares(tmp_path):
    encode(tmp_path / "é a.mp4", numbers=range(20))
    shares = reading_shares(Reads(tmp_path / "é a.mp4"), [3, 4, 5], READING_VIDEOS, sample="video")
    assert 20 <= shares.transforms < 60
    assert shares.opening > 0.1
    assert shares.decoding > 0.1
    assert shares.total == pytest.approx(shares.opening + shares.decoding + shares.transforms)


def test_shares_in_words():
    shares = Shares(1.0, 7.0, 2.0, "video", FASTER)
    assert str(shares) == (
        "10.0 ms a video in one process: opening 10%, decoding 70%, transforms 20%"
    )


READING = Shares(1.0, 7.0, 2.0, "video", FASTER)
TRANSFORMS = Shares(1.0, 2.0, 7.0, "video", FASTER)


@pytest.mark.parametrize(
    ("speeds", "shares", "cores", "line"),
    [
        ({0: 50.0, 2: 98.0, 4: 100.0}, READING, 8, "NUM_WORKERS 2 gives 98 clips/s, and more give no more; most of the time is reading: see glore-video check-data"),
        ({0: 50.0, 2: 90.0, 4: 180.0}, TRANSFORMS, 8, "NUM_WORKERS 4 gives 180 clips/s, and more may give more: this process may use 8 cores"),
        ({0: 50.0, 2: 90.0}, TRANSFORMS, 2, "NUM_WORKERS 2 gives 90 clips/s; most of the time is transforms: see the AUG keys"),
    ],
)  # fmt: skip
def test_advice(speeds, shares, cores, line):
    assert line in advice_line(speeds, shares, cores=cores)


@pytest.fixture
def arguments(tmp_path):
    folder = tmp_path / "vidéos a"
    folder.mkdir()
    encode(folder / "a.mp4", numbers=range(20))
    (folder / "train.csv").write_text("a.mp4 0\n" * 8)
    (tmp_path / "a.yaml").write_text("")
    words = "MODEL.NUM_CLASSES 2 DATA.NUM_FRAMES 2 DATA.SAMPLING_RATE 2 TRAIN.BATCH_SIZE 4"
    words += " NUM_GPUS 0 DATA.TRAIN_JITTER_SCALES [32,36] DATA.TRAIN_CROP_SIZE 32"
    pairs = [*words.split(), "DATA.PATH_TO_DATA_DIR", str(folder)]
    return ["--cfg", str(tmp_path / "a.yaml"), *pairs]


def test_table(arguments, capsys):
    assert main([*arguments, "--batches", "3", "--workers", "1,0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"8 videos, \d+ cores; [\d.]+ ms a video in one process: opening .*", lines[0]
    )
    assert lines[1].split() == ["workers", "clips/s"]
    assert [line.split()[0] for line in lines[2:4]] == ["0", "1"]
    assert all(float(line.split()[1]) > 1 for line in lines[2:4])
    assert lines[4].startswith("DATA_LOADER.NUM_WORKERS ")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["DATA.PATH_TO_DATA_DIR", "/nowhere"], "DATA.PATH_TO_DATA_DIR = /nowhere: no such folder"),
        (["TRAIN.BATCH_SIZE", "9"], "TRAIN.BATCH_SIZE = 9 is more than the 8 training videos"),
        (["DATA.NUM_FRAME", "9"], "unknown key DATA.NUM_FRAME"),
    ],
)
def test_user_errors_are_one_line(arguments, capsys, change, message):
    assert main([*arguments, *change]) == 2
    assert message in capsys.readouterr().err


def test_pictures(tmp_path, a_picture, capsys):
    for name in ("ape", "bee"):
        folder = tmp_path / "pictürés" / "train" / name
        folder.mkdir(parents=True)
        for number in range(4):
            shutil.copy(a_picture, folder / f"{number}.png")
    (tmp_path / "a.yaml").write_text("TASK: image_classification\n")
    words = "MODEL.ARCH tiny2d MODEL.NUM_CLASSES 2 TRAIN.BATCH_SIZE 4 NUM_GPUS 0"
    pairs = [*words.split(), "DATA.PATH_TO_DATA_DIR", str(tmp_path / "pictürés")]
    arguments = ["--cfg", str(tmp_path / "a.yaml"), *pairs, "--batches", "2", "--workers", "0"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"8 pictures, \d+ cores; [\d.]+ ms a picture in one process: decoding \d+%, transforms \d+%",
        lines[0],
    )
    assert lines[1].split() == ["workers", "pictures/s"]
    assert re.search(r"NUM_WORKERS 0 gives \d+ pictures/s", lines[3])
