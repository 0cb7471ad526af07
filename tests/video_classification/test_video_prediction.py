import pytest
import torch
from torch import nn

import glore_video
from glore_video.pixels.transforms import centre_crop, resize_short_side
from glore_video.prediction import VideoPredictor
from glore_video.prediction.loading import load_predictor
from glore_video.tasks.classification.prediction import Prediction
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video import ClipSampling, VideoError, open_video


class Brightness(nn.Module):
    """Logits: (0, 10 x the mean of what it is given)."""

    def forward(self, clips):
        mean = clips.flatten(1).mean(1)
        return torch.stack([torch.zeros_like(mean), 10 * mean], 1)


def test_mean_over_the_views_of_the_softmax(moving_video):
    ready = VideoPredictor(
        network=Brightness(),
        class_names=("dark", "bright"),
        batch_size=2,
        views=EvalViews(
            sampling=ClipSampling(num_frames=2, stride=5),
            num_clips=3,
            spacing="ends",
            short_side=32,
            crop_size=32,
            num_crops=1,
        ),
    )
    found = glore_video.predict(moving_video, ready)
    # 30 frames, clips of 6: starts 0, 12, 24.
    with open_video(moving_video) as video:
        frames = video.frames([0, 5, 12, 17, 24, 29])
    small = centre_crop(resize_short_side(frames, 32), 32).double() / 255
    clips = ((small - 0.45) / 0.225).reshape(3, -1).mean(1)
    expected = torch.sigmoid(10 * clips).mean()
    assert found.probabilities[1] == pytest.approx(expected.item(), abs=1e-5)
    assert sum(found.probabilities) == pytest.approx(1)
    assert found.path == str(moving_video)


def test_top():
    found = Prediction("a", ("x", "y", "z"), (0.2, 0.5, 0.3))
    assert found.top(2) == [("y", 0.5), ("z", 0.3)]
    assert len(found.top(9)) == 3


def test_by_checkpoint_and_ready_alike(moving_video, tiny_checkpoint):
    by_path = glore_video.predict(moving_video, tiny_checkpoint)
    assert by_path == glore_video.predict(moving_video, load_predictor(weights=tiny_checkpoint))
    assert by_path.class_names == ("hopping", "jumping <high>")


def test_errors(tmp_path, tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint)
    with pytest.raises(VideoError, match="no such file"):
        glore_video.predict(tmp_path / "no.mp4", ready)
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(VideoError, match="can't be opened as video"):
        glore_video.predict(tmp_path / "text.mp4", ready)
    with pytest.raises(ValueError, match="not a int"):
        glore_video.predict(tmp_path / "no.mp4", 3)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        glore_video.predict(tmp_path / "no.mp4", "glore_r51")
