import pytest
import torch
from torch import nn

from glore_video.models import PreactResNet3d, create_model
from glore_video.prediction import VideoPredictor
from glore_video.prediction.loading import load_predictor, predictor_of
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video import ClipSampling


def test_a_checkpoint_is_enough(tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint)
    assert ready.class_names == ("hopping", "jumping <high>")
    assert not ready.network.training
    assert ready.views.sampling == ClipSampling(num_frames=4, stride=1)
    assert (ready.views.num_clips, ready.views.num_crops, ready.views.spacing) == (3, 1, "ends")
    assert (ready.views.short_side, ready.views.crop_size) == (64, 64)
    assert ready.normalize.mean == (0.45, 0.45, 0.45)
    state = torch.load(tiny_checkpoint, weights_only=True)["model_state"]
    torch.testing.assert_close(ready.network.state_dict(), state, rtol=0, atol=0)


def test_so_is_a_runs_folder(tiny_checkpoint):
    ready = load_predictor(weights=tiny_checkpoint.parents[1], num_clips=2, num_crops=3)
    assert ready.source == str(tiny_checkpoint)
    assert (ready.views.num_clips, ready.views.num_crops) == (2, 3)


def test_a_configuration_finds_the_weights_of_its_run(tiny_checkpoint, tmp_path):
    from pathlib import Path

    base = Path(__file__).parents[2] / "configs" / "quickstart_same_glore.yaml"
    cfg = tmp_path / "a.yaml"
    cfg.write_text(f"_BASE_: {base}\nOUTPUT_DIR: {tiny_checkpoint.parents[1]}\n")
    assert load_predictor(cfg=cfg).source == str(tiny_checkpoint)
    assert load_predictor(cfg=cfg).class_names == ("hopping", "jumping <high>")
    assert load_predictor(cfg=cfg, untrained=True).source == "random"


def test_weights_without_a_configuration(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"model_state": {"a": torch.zeros(1)}}, path)
    with pytest.raises(
        ValueError, match="no checkpoint of a run.*; give cfg, a configuration, or model"
    ):
        load_predictor(weights=path)


def test_configuration_of_another_version(tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    content["config"]["DATA"]["NO_SUCH_KEY"] = 1
    path = tmp_path / "a.pyth"
    torch.save(content, path)
    with pytest.raises(ValueError, match="of another version .DATA.NO_SUCH_KEY"):
        load_predictor(weights=path)


def test_nothing_and_too_much(tiny_checkpoint):
    with pytest.raises(ValueError, match="name a configuration, a network of the zoo, or weights"):
        load_predictor()
    with pytest.raises(ValueError, match="exclude each other"):
        load_predictor(cfg="a.yaml", model="i3d_r50")
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_predictor(weights="nowhere.pyth")
    with pytest.raises(ValueError, match="num_crops must be 1 or 3, got 2"):
        load_predictor(weights=tiny_checkpoint, num_crops=2)


def test_networks_of_the_zoo_know_their_clips():
    with torch.device("meta"):
        paper = PreactResNet3d(50, num_classes=400)
        slowfast = create_model("slowfast_r50", num_classes=7)
        i3d = create_model("i3d_r50")
    ready = predictor_of(paper, device="meta")
    assert ready.class_names[0] == "abseiling"
    assert (ready.views.short_side, ready.views.crop_size, ready.views.sampling.short_video) == (
        256,
        224,
        "cycle",
    )
    # (124, 117, 104) / 255 and 1 / (0.0167 * 255)
    assert ready.normalize.mean == pytest.approx((0.48627, 0.45882, 0.40784), abs=1e-5)
    assert ready.normalize.std == pytest.approx((0.234824,) * 3, abs=1e-6)
    ready = predictor_of(slowfast, device="meta")
    assert (ready.views.sampling.num_frames, ready.views.sampling.stride) == (32, 2)
    assert ready.class_names[6] == "class 6"
    ready = predictor_of(i3d, device="meta")
    assert (ready.views.sampling.num_frames, ready.views.sampling.stride) == (8, 8)
    assert (ready.views.sampling.spacing, ready.views.crop_size, ready.views.num_crops) == (
        "linspace",
        256,
        3,
    )
    with pytest.raises(ValueError, match="3 class names for a network of 400 classes"):
        predictor_of(i3d, class_names=["a", "b", "c"], device="meta")


def test_other_networks_must_say_how_clips_are_made():
    with pytest.raises(ValueError, match="how clips are made for a Linear is not known"):
        predictor_of(nn.Linear(1, 1))


def test_a_crop_that_does_not_fit():
    with pytest.raises(ValueError, match="crop_size 80 does not fit"):
        VideoPredictor(
            network=nn.Identity(),
            class_names=("a",),
            views=EvalViews(
                sampling=ClipSampling(num_frames=1, stride=1),
                short_side=64,
                crop_size=80,
                num_clips=10,
                num_crops=1,
            ),
        )
