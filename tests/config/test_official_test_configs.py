"""The published networks' own protocol: test/test-single-clip.py of the GloRe repository."""

from pathlib import Path

import pytest
import torch

from glore_video.config import load_config
from glore_video.models import glore_units
from glore_video.runs.network import build_model
from glore_video.tasks.video_classification.task_data import clip_sampling
from glore_video.video.clip_sampling import clip_indices, view_starts

FOLDER = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("depth", [50, 101])
def test_protocol(depth):
    config = load_config(FOLDER / f"k400_glore_r{depth}_official_test.yaml")
    assert not config.TRAIN.ENABLE
    assert config.TEST.ENABLE
    assert (config.TEST.NUM_ENSEMBLE_VIEWS, config.TEST.NUM_SPATIAL_CROPS) == (1, 1)
    assert (config.DATA.TEST_SHORT_SIDE, config.DATA.TEST_CROP_SIZE) == (256, 224)
    assert [round(255 * value, 4) for value in config.DATA.MEAN] == [124, 117, 104]
    assert [round(1 / (255 * value), 6) for value in config.DATA.STD] == [0.0167] * 3
    sampling = clip_sampling(config)
    # The clip covers 57 frames and starts at ceil((frames - 57) / 2).
    for frames, start in ((57, 0), (58, 1), (59, 1), (300, 122)):
        (found,) = view_starts(1, frames, sampling, 25, spacing=config.TEST.VIEW_SPACING)
        assert found == start
        assert clip_indices(start, frames, sampling, 25) == list(range(start, start + 57, 8))
    assert view_starts(1, 5, sampling, 25) == [0]
    assert clip_indices(0, 5, sampling, 25) == [0, 1, 2, 3, 4, 0, 1, 2]
    with torch.device("meta"):
        units = glore_units(build_model(config))
    assert [unit.normalize for unit in units.values()] == [False] * 5
