"""Where a network looks in a picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from glore_video.errors import UsageError
from glore_video.images import read_image
from glore_video.images.views import PictureViews
from glore_video.inspection import grad_cam, inspect_units, projection_maps
from glore_video.models import create_model, zero_init_units
from glore_video.pixels.normalize import Normalize
from glore_video.prediction import PicturePredictor, load_predictor
from glore_video.tasks.image_classification.dataset import PictureViewsSet

UNIT = "stage2.0.glore"


@pytest.fixture
def ready(picture_checkpoint):
    return load_predictor(weights=picture_checkpoint)


def test_maps_are_those_of_the_first_view(ready, a_picture):
    seen = ready.with_views(num_crops=5, flips=True).look(a_picture)
    # 90 x 64 pixels, the short side is 64 already: the square in the middle.
    view = read_image(a_picture)[0, :, 13:77]
    assert np.array_equal(seen.view, view.numpy())
    shown = (view.permute(2, 0, 1)[None] / 255 - 0.45) / 0.225
    expected = projection_maps(ready.network, shown)[UNIT]
    torch.testing.assert_close(seen.units[UNIT].maps, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        seen.cam, grad_cam(ready.network, shown, target=seen.target), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("crops", [1, 5])
def test_looking_and_predicting_say_the_same(ready, a_picture, crops):
    ready = ready.with_views(num_crops=crops)
    seen, predicted = ready.look(a_picture, cam=False), ready.predict(a_picture)
    assert seen.cam is None
    assert (ready.class_names[seen.target], seen.probability) == predicted.top(1)[0]
    other = ready.look(a_picture, target=1 - seen.target)
    assert other.probability == predicted.probabilities[other.target]
    expected = inspect_units(
        ready.network,
        ready.input(torch.from_numpy(seen.view).permute(2, 0, 1)),
        target=other.target,
    )
    torch.testing.assert_close(other.importance(UNIT), expected.units[UNIT].importance)


def test_nodes_in_order(ready, a_picture):
    seen = ready.look(a_picture)
    scores = seen.importance(UNIT).abs()
    assert seen.choose_nodes(UNIT, None, 3) == scores.argsort(descending=True)[:3].tolist()
    assert seen.choose_nodes(UNIT, [3, 0], 1) == [3, 0]
    with pytest.raises(UsageError, match="nodes 0..15, not 16"):
        seen.choose_nodes(UNIT, [16], 1)
    zero_init_units(ready.network)
    untrained = ready.look(a_picture)
    spread = untrained.units[UNIT].maps.flatten(1).std(1)
    assert untrained.ranking(UNIT)[0] == int(spread.argmax())


def test_targets_and_layers_that_are_not_there(ready, a_picture):
    with pytest.raises(UsageError, match="target must be a class in 0..1, got 2"):
        ready.look(a_picture, target=2)
    with pytest.raises(UsageError, match="no layer 'nothing'"):
        ready.look(a_picture, layer="nothing")


def test_pictures_of_a_look(ready, a_picture):
    seen = ready.look(a_picture)
    drawn = ready.pictures(seen, UNIT, [1, 5])
    assert sorted(drawn) == ["adjacency", "graph", "sheet"]
    # Picture, two nodes and Grad-CAM: 3 tiles across, 288 pixels each, 4 between, 16 around.
    assert drawn["sheet"].size == (2 * 16 + 3 * 288 + 2 * 4, 54 + 2 * (288 + 22) + 16)
    pixels = np.asarray(drawn["sheet"])
    view = np.asarray(Image.fromarray(seen.view).resize((288, 288)))
    assert np.abs(pixels[76:364, 16:304].astype(int) - view).mean() < 8
    assert np.abs(pixels[76:364, 308:596].astype(int) - view).mean() > 8


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "torchvision/swin_t"])
@pytest.mark.slow
def test_tokens_are_put_where_they_stand(name, a_picture):
    after = "blocks.6" if "vit" in name else "features.5.1"
    network = create_model(name, num_classes=4, glore_after=[after]).eval()
    ready = PicturePredictor(
        network=network,
        class_names=tuple("abcd"),
        views=PictureViewsSet(views=PictureViews(size=224, sides=(224,))),
        normalize=Normalize(mean=(0.5,) * 3, std=(0.5,) * 3),
    )
    seen = ready.look(a_picture)
    (maps,) = (unit.maps for unit in seen.units.values())
    assert maps.shape[1:] == (14, 14)
    assert seen.cam.dim() == 2
    ready.pictures(seen, next(iter(seen.units)), [0])
