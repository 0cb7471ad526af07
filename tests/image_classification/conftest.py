"""A folder of small pictures, and the keys of a run over it that takes a second."""

import numpy as np
import pytest
from PIL import Image

KINDS = {"dark": 40, "bright": 190}


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """train/ and val/ with class folders of 8 and 6 pictures each, PNG and JPEG, of several sizes."""
    root = tmp_path_factory.mktemp("pictures é with space")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 6)):
        for name, level in KINDS.items():
            for number in range(count):
                size = (40 + number, 56 - 3 * number, 3)
                values = rng.integers(level, level + 40, size, dtype=np.uint8)
                save(root / split / name / f"{number}.{'jpg' if number % 2 else 'png'}", values)
    return root


@pytest.fixture
def options(pictures, tmp_path):
    """KEY VALUE pairs of a run over `pictures`."""
    return {
        "TASK": "image_classification",
        "DATA.PATH_TO_DATA_DIR": pictures,
        "DATA.TRAIN_CROP_SIZE": 32,
        "MODEL.ARCH": "tiny2d",
        "MODEL.NUM_CLASSES": 2,
        "MODEL.DROPOUT_RATE": 0.2,
        "GLORE.AFTER": "[stage1.1]",
        "TRAIN.BATCH_SIZE": 4,
        "SOLVER.MAX_EPOCH": 2,
        "SOLVER.BASE_LR": 0.05,
        "TEST.SPLIT": "val",
        "DATA_LOADER.NUM_WORKERS": 0,
        "TENSORBOARD.ENABLE": False,
        "NUM_GPUS": 0,
        "CPU_THREADS": 1,
        "OUTPUT_DIR": tmp_path / "öut put",
    }
