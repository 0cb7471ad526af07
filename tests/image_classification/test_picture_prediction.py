"""One picture: the probabilities of its views, and which networks are shown it how."""

import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import glore_video
from glore_video.errors import UsageError
from glore_video.images import PictureError
from glore_video.images.views import PictureViews
from glore_video.pixels.normalize import Normalize
from glore_video.prediction import FilmPredictor, PicturePredictor, load_predictor, predictor_of
from glore_video.tasks.image_classification.dataset import PictureViewsSet


class Brightness(nn.Module):
    """Logits: (0, 10 x the mean of what it is given)."""

    def forward(self, pictures):
        mean = pictures.flatten(1).mean(1)
        return torch.stack([torch.zeros_like(mean), 10 * mean], 1)


@pytest.fixture
def bright():
    return PicturePredictor(
        network=Brightness(),
        class_names=("dark", "bright"),
        views=PictureViewsSet(views=PictureViews(size=8, sides=(8,), crops=5)),
        normalize=Normalize(mean=(0.45,) * 3, std=(0.225,) * 3),
        batch_size=2,
    )


@pytest.fixture
def picture(tmp_path):
    """8 x 16 pixels, grey 0 on the left, 128 in the middle, 255 on the right."""
    values = np.zeros((8, 16, 3), dtype=np.uint8)
    values[:, 4:12], values[:, 12:] = 128, 255
    path = tmp_path / "fröhliche katze.png"
    Image.fromarray(values).save(path)
    return path


def test_mean_over_the_views_of_the_softmax(bright, picture):
    found = glore_video.predict(picture, bright)
    # Centre: all 128. Left twice: half 0, half 128. Right twice: half 128, half 255.
    greys = torch.tensor([128, 64, 191.5, 64, 191.5], dtype=torch.float64)
    expected = torch.sigmoid(10 * (greys / 255 - 0.45) / 0.225).mean()
    assert found.probabilities[1] == pytest.approx(expected.item(), abs=1e-6)
    assert found.path == str(picture)
    assert found.top(1) == [("bright", found.probabilities[1])]


def test_other_views(bright):
    one = bright.with_views(num_crops=1, flips=True)
    assert one.words == "centre crop, mirror images: 2 views"
    assert bright.words == "5 crops: 5 views"
    assert bright.with_views().settings == bright.settings != one.settings
    with pytest.raises(UsageError, match="crops must be 1 or 5, got 3"):
        bright.with_views(num_crops=3)
    with pytest.raises(UsageError, match="clips are views of videos"):
        bright.with_views(num_clips=2)
    assert not isinstance(bright, FilmPredictor)


def test_files_that_are_none(bright, tmp_path, moving_video):
    for name, content in (("none.jpg", None), ("empty.jpg", b""), ("text.png", b"hello")):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(PictureError, match=name):
            bright.predict(path)
    with pytest.raises(PictureError, match="opened as a picture.*; the network takes pictures$"):
        bright.predict(moving_video)


def test_a_checkpoint_is_enough(picture_checkpoint, a_picture):
    found = load_predictor(weights=picture_checkpoint)
    assert isinstance(found, PicturePredictor)
    assert found.class_names == ("dark & grey", "bright")
    assert not found.network.training
    views = found.views.views
    assert (views.size, views.sides, views.crops, views.flips) == (64, (64,), 1, False)
    assert found.predict(a_picture) == glore_video.predict(a_picture, picture_checkpoint)
    five = load_predictor(weights=os.fspath(picture_checkpoint), num_crops=5, flips=True)
    assert five.views.views.num_views == 10


def test_networks_by_name_are_shown_what_they_were_published_with():
    found = load_predictor(model="timm/resnet10t", untrained=True)
    # timm's record of resnet10t.c3_in1k: 176 pixels, 0.875 of the scaled ones.
    views = found.views.views
    assert (views.size, views.sides, views.interpolation) == (176, (201,), "bicubic")
    assert found.normalize.mean == (0.485, 0.456, 0.406)
    assert found.class_names[0] == "tench"
    assert len(set(found.class_names)) == 1000
    same = predictor_of(found.network)
    assert (same.views.views, same.class_names) == (views, found.class_names)
    with pytest.raises(UsageError, match="2 class names for a network of 1000 classes"):
        predictor_of(found.network, class_names=("a", "b"))


def test_networks_of_torchvision_that_are_built_already():
    from torchvision.models import shufflenet_v2_x0_5

    found = predictor_of(shufflenet_v2_x0_5(num_classes=7))
    assert found.class_names[6] == "class 6"
    assert (found.views.views.size, found.views.views.sides) == (224, (256,))


def test_names_of_larger_sets():
    """Of ImageNet-21k, as timm has weights of; a network of so many classes is slow to build."""
    from glore_video.models.networks.of_timm import published_class_names

    assert published_class_names("timm/resnet18", 21843)[:2] == ("organism, being", "benthos")
    for name, count in (("timm/resnet18", 1000), ("timm/resnet18", 7), ("torchvision/a", 21843)):
        assert published_class_names(name, count) == ()


def test_the_papers_network_by_name():
    with torch.device("meta"):
        network = glore_video.create_model("preact_resnet50_2d")
    found = predictor_of(network, device="meta")
    views = found.views.views
    assert (views.size, views.sides, found.class_names[-1]) == (224, (256,), "toilet tissue")


def test_a_name_of_a_package_is_no_file(a_picture, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "glore_video.prediction.one_file.load_predictor",
        lambda **named: asked.append(named) or load_predictor(**named, untrained=True),
    )
    assert glore_video.predict(a_picture, "timm/resnet10t").top(1)
    assert asked == [{"model": "timm/resnet10t"}]
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        glore_video.predict(a_picture, "outputs/nothing")
