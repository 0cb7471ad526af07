import pytest
import torch
from torch import nn

from glore_video.models import PreactResNet3d, create_model
from glore_video.prediction.loading import ReadyModel, ready_model, ready_network
from glore_video.video import ClipSampling


def test_a_checkpoint_is_enough(tiny_checkpoint):
    ready = ready_model(weights=tiny_checkpoint)
    assert ready.class_names == ("hopping", "jumping <high>")
    assert not ready.network.training
    assert ready.sampling == ClipSampling(num_frames=4, stride=1)
    assert (ready.num_clips, ready.num_crops, ready.spacing) == (3, 1, "ends")
    assert (ready.short_side, ready.crop_size) == (64, 64)
    assert ready.preprocessing.mean == (0.45, 0.45, 0.45)
    state = torch.load(tiny_checkpoint, weights_only=True)["model_state"]
    torch.testing.assert_close(ready.network.state_dict(), state, rtol=0, atol=0)


def test_so_is_a_runs_folder(tiny_checkpoint):
    ready = ready_model(weights=tiny_checkpoint.parents[1], num_clips=2, num_crops=3)
    assert ready.source == str(tiny_checkpoint)
    assert (ready.num_clips, ready.num_crops) == (2, 3)


def test_a_configuration_finds_the_weights_of_its_run(tiny_checkpoint, tmp_path):
    from pathlib import Path

    base = Path(__file__).parents[2] / "configs" / "quickstart_same_glore.yaml"
    cfg = tmp_path / "a.yaml"
    cfg.write_text(f"_BASE_: {base}\nOUTPUT_DIR: {tiny_checkpoint.parents[1]}\n")
    assert ready_model(cfg=cfg).source == str(tiny_checkpoint)
    assert ready_model(cfg=cfg).class_names == ("hopping", "jumping <high>")
    assert ready_model(cfg=cfg, untrained=True).source == "random"


def test_weights_without_a_configuration(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"model_state": {"a": torch.zeros(1)}}, path)
    with pytest.raises(
        ValueError, match="no checkpoint of a run.*; give cfg, a configuration, or model"
    ):
        ready_model(weights=path)


def test_configuration_of_another_version(tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    content["config"]["DATA"]["NO_SUCH_KEY"] = 1
    path = tmp_path / "a.pyth"
    torch.save(content, path)
    with pytest.raises(ValueError, match="of another version .DATA.NO_SUCH_KEY"):
        ready_model(weights=path)


def test_nothing_and_too_much(tiny_checkpoint):
    with pytest.raises(ValueError, match="name a configuration, a network of the zoo, or weights"):
        ready_model()
    with pytest.raises(ValueError, match="exclude each other"):
        ready_model(cfg="a.yaml", model="i3d_r50")
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        ready_model(weights="nowhere.pyth")
    with pytest.raises(ValueError, match="num_crops must be 1 or 3, got 2"):
        ready_model(weights=tiny_checkpoint, num_crops=2)


def test_networks_of_the_zoo_know_their_clips():
    with torch.device("meta"):
        paper = PreactResNet3d(50, num_classes=400)
        slowfast = create_model("slowfast_r50", num_classes=7)
        i3d = create_model("i3d_r50")
    ready = ready_network(paper, device="meta")
    assert ready.class_names[0] == "abseiling"
    assert (ready.short_side, ready.crop_size, ready.sampling.short_video) == (256, 224, "cycle")
    # (124, 117, 104) / 255 and 1 / (0.0167 * 255)
    assert ready.preprocessing.mean == pytest.approx((0.48627, 0.45882, 0.40784), abs=1e-5)
    assert ready.preprocessing.std == pytest.approx((0.234824,) * 3, abs=1e-6)
    ready = ready_network(slowfast, device="meta")
    assert (ready.sampling.num_frames, ready.sampling.stride) == (32, 2)
    assert ready.class_names[6] == "class 6"
    ready = ready_network(i3d, device="meta")
    assert (ready.sampling.num_frames, ready.sampling.stride) == (8, 8)
    assert (ready.sampling.spacing, ready.crop_size, ready.num_crops) == ("linspace", 256, 3)
    with pytest.raises(ValueError, match="3 class names for a network of 400 classes"):
        ready_network(i3d, class_names=["a", "b", "c"], device="meta")


def test_other_networks_must_say_how_clips_are_made():
    with pytest.raises(ValueError, match="how clips are made for a Linear is not known"):
        ready_network(nn.Linear(1, 1))


def test_a_crop_that_does_not_fit():
    with pytest.raises(ValueError, match="crop_size 80 does not fit"):
        ReadyModel(
            network=nn.Identity(),
            class_names=("a",),
            sampling=ClipSampling(num_frames=1, stride=1),
            short_side=64,
            crop_size=80,
        )
