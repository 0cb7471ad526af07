"""The demonstration on pictures, small, in one process and in two."""

import numpy as np
import pytest
import torch
from run_files import flat, weights_of

from glore_video.cli.train import main

RUN = {
    "SYNTHETIC.NUM_TRAIN": 32,
    "SYNTHETIC.NUM_VAL": 9,
    "TRAIN.CHECKPOINT_FILE_PATH": "",
    "TRAIN.BATCH_SIZE": 8,
    "TEST.BATCH_SIZE": 2,
    "SOLVER.MAX_EPOCH": 1,
    "MODEL.FROZEN_BN": True,
    "TENSORBOARD.ENABLE": False,
    "CPU_THREADS": 1,
}


@pytest.mark.slow
def test_two_processes_train_and_test_as_one(tmp_path):
    """Without batch norm's statistics of a share; over 4 steps the order of float32 sums differs."""
    weights, scores = [], []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        pairs = {"DATA.PATH_TO_DATA_DIR": tmp_path / "data", "CPU_PROCESSES": processes}
        words = flat(RUN | pairs | {"OUTPUT_DIR": out})
        assert main(["--cfg", "quickstart_image_same_glore", *words]) == 0
        weights.append(weights_of(out, 1))
        with np.load(out / "test" / "scores.npz") as arrays:
            scores.append({key: arrays[key] for key in arrays})
    assert weights[0].keys() == weights[1].keys()
    for key, one in weights[0].items():
        torch.testing.assert_close(one, weights[1][key], rtol=1e-4, atol=1e-5, msg=key)
    assert scores[0]["paths"].tolist() == scores[1]["paths"].tolist()
    assert len(scores[0]["paths"]) == 9
    np.testing.assert_array_equal(scores[0]["labels"], scores[1]["labels"])
    np.testing.assert_allclose(scores[0]["logits"], scores[1]["logits"], rtol=1e-3, atol=1e-4)
