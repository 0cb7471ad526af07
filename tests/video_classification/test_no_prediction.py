"""A network that answers NaN gives no prediction, and says so in words."""

import pytest
import torch
from torch import nn

from glore_video.engine.launch.processes import Process
from glore_video.errors import UsageError
from glore_video.inspection.grad_cam import grad_cam
from glore_video.prediction import look, predict, window_timeline
from glore_video.prediction.folder import predict_files
from glore_video.prediction.loading import load_predictor


@pytest.fixture
def diverged(tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint)
    nn.init.constant_(ready.network.classifier.bias, float("nan"))
    return ready


@pytest.mark.parametrize("way", [predict, window_timeline, look], ids=lambda way: way.__name__)
def test_one_video(diverged, moving_video, way):
    with pytest.raises(UsageError, match=r"moving.*: the network's scores are not finite"):
        way(moving_video, diverged)


def test_videos_of_a_folder_fail_one_by_one(diverged, moving_video, tmp_path):
    process = Process(0, 1, torch.device("cpu"))
    (result,) = predict_files([str(moving_video)], diverged, tmp_path / "p.csv", process=process)
    assert result.failed
    assert "the network's scores are not finite" in result.reason


def test_no_map_is_drawn(diverged):
    with pytest.raises(UsageError, match="logits are not finite"):
        grad_cam(diverged.network, torch.randn(1, 3, 2, 32, 32), target=0)
