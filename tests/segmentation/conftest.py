"""A folder of small scenes with masks, and the keys of a run over it that takes a second."""

import numpy as np
import pytest
from PIL import Image

SPLITS = {"train": 6, "val": 5}
HEIGHT, WIDTH = 40, 56


def scene(number):
    """A picture uint8 (h, w, 3), noise with a bright square in it, and its mask; the frame is ignored."""
    drawn = np.random.default_rng(number)
    picture = drawn.integers(20, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    top, left = drawn.integers(4, 16), drawn.integers(4, 24)
    picture[top : top + 18, left : left + 22] += 130
    mask[top : top + 18, left : left + 22] = 1
    mask[:2] = mask[-2:] = 255
    return picture, mask


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """images/<split> and masks/<split> beside class_names.txt."""
    root = tmp_path_factory.mktemp("scenés with space")
    for split, count in SPLITS.items():
        for number in range(count):
            picture, mask = scene(100 * (split == "val") + number)
            for kind, values in (("images", picture), ("masks", mask)):
                path = root / kind / split / f"{number:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(path)
    (root / "class_names.txt").write_text("floor\nsquare\n")
    return root


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    return ["train", "--cfg", str(tmp_path / "empty.yaml")]


@pytest.fixture
def options(scenes, tmp_path):
    """KEY VALUE pairs of a run over `scenes`."""
    return {
        "TASK": "segmentation",
        "DATA.PATH_TO_DATA_DIR": scenes,
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TRAIN_CROP_HEIGHT": 24,
        "MODEL.ARCH": "tiny2d",
        "MODEL.NUM_CLASSES": 2,
        "HEAD.FORM": "glore",
        "HEAD.CHANNELS": 16,
        "TRAIN.BATCH_SIZE": 2,
        "SOLVER.MAX_EPOCH": 3,
        "SOLVER.BASE_LR": 0.05,
        "SOLVER.LR_POLICY": "poly",
        "TEST.SPLIT": "val",
        "DATA_LOADER.NUM_WORKERS": 0,
        "TENSORBOARD.ENABLE": False,
        "NUM_GPUS": 0,
        "CPU_THREADS": 1,
        "LOG_PERIOD": 1,
        "OUTPUT_DIR": tmp_path / "öut put",
    }
