"""Networks learn what they are shown."""

import json
from pathlib import Path

import pytest

from glore_video.cli.main import main

KINETICS = Path(__file__).parents[3] / "shared" / "kinetics_tiny"


@pytest.mark.slow
@pytest.mark.parametrize("units", [False, True])
def test_four_real_clips_are_learned_by_heart(tmp_path, units):
    if not KINETICS.is_dir():
        pytest.skip("no real clips beside the checkout")
    rows = (KINETICS / "train.csv").read_text().splitlines()
    assert len(rows) == 4
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "val"):
        (data / f"{split}.csv").write_text(
            "".join(f"{KINETICS / row.rsplit(' ', 1)[0]} {n}\n" for n, row in enumerate(rows))
        )
    (data / "class_names.txt").write_text("a\nb\nc\nd\n")
    (tmp_path / "four.yaml").write_text(
        f"""
        MODEL: {{ARCH: tiny, NUM_CLASSES: 4, DROPOUT_RATE: 0.0}}
        GLORE: {{LOCATION: {"[[[0]], [[0]]]" if units else "[]"}}}
        DATA:
          NUM_FRAMES: 4
          SAMPLING_RATE: 8
          TRAIN_JITTER_SCALES: [64, 64]
          TRAIN_CROP_SIZE: 64
          TEST_CROP_SIZE: 64
          RANDOM_FLIP: False
        TRAIN: {{BATCH_SIZE: 4, EVAL_PERIOD: 100, CHECKPOINT_PERIOD: 100}}
        TEST: {{ENABLE: False}}
        SOLVER: {{BASE_LR: 0.1, MAX_EPOCH: 60, CLIP_GRAD_L2NORM: 1.0, WEIGHT_DECAY: 0.0}}
        DATA_LOADER: {{NUM_WORKERS: 0}}
        NUM_GPUS: 0
        CPU_THREADS: 1
        """
    )
    words = ["DATA.PATH_TO_DATA_DIR", str(data), "OUTPUT_DIR", str(tmp_path / "out")]
    assert main(["--cfg", str(tmp_path / "four.yaml"), *words]) == 0
    lines = [json.loads(x) for x in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train_epoch"]
    assert losses[0] > 1
    assert max(losses[-5:]) < 0.02
