"""A small network and small real videos for tests of whole runs."""

import numpy as np
import pytest
from encoded_videos import encode


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """A folder with train.csv, val.csv, test.csv over 8 videos of 2 classes: dark and bright."""
    root = tmp_path_factory.mktemp("vidéos with space")
    rng = np.random.default_rng(0)
    (root / "clips").mkdir()
    lines = []
    for number in range(8):
        label = number % 2
        level = 40 + 150 * label
        pictures = rng.integers(level, level + 40, (10, 40, 48, 3), dtype=np.uint8)
        encode(root / "clips" / f"{number}.mp4", pictures=pictures, rate=8)
        lines.append(f"clips/{number}.mp4 {label}\n")
    for split in ("train", "val", "test"):
        (root / f"{split}.csv").write_text("".join(lines))
    (root / "class_names.txt").write_text("dark\nbright\n")
    return root


@pytest.fixture
def options(videos, tmp_path):
    """KEY VALUE pairs of a run over `videos` that takes a second."""
    return {
        "DATA.PATH_TO_DATA_DIR": videos,
        "DATA.NUM_FRAMES": 2,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TARGET_FPS": 0,
        "DATA.TRAIN_JITTER_SCALES": "[32, 36]",
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TEST_CROP_SIZE": 32,
        "MODEL.ARCH": "tiny",
        "MODEL.NUM_CLASSES": 2,
        "MODEL.DROPOUT_RATE": 0.2,
        "GLORE.LOCATION": "[[[0]]]",
        "TRAIN.BATCH_SIZE": 4,
        "SOLVER.MAX_EPOCH": 2,
        "SOLVER.BASE_LR": 0.05,
        "TEST.NUM_ENSEMBLE_VIEWS": 2,
        "DATA_LOADER.NUM_WORKERS": 0,
        "TENSORBOARD.ENABLE": False,
        "NUM_GPUS": 0,
        "LOG_PERIOD": 1,
        "OUTPUT_DIR": tmp_path / "öut put",
    }


@pytest.fixture
def cfg(tmp_path):
    """Words of a configuration that is all defaults."""
    (tmp_path / "empty.yaml").write_text("")
    return ["--cfg", str(tmp_path / "empty.yaml")]
