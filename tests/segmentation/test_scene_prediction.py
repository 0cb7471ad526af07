"""What a segmentation network says of single pictures: masks, shares, where it looks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scene_miniature import scene

from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.data.masks.known_classes import SCENES, classes_named
from glore_video.errors import UsageError
from glore_video.images.errors import PictureError
from glore_video.inspection import grad_cam, inspect_units
from glore_video.prediction import load_predictor, predictor_of
from glore_video.tasks.file_predictor import NotFiniteError
from glore_video.tasks.segmentation.colour_key import draw_key, with_key
from glore_video.tasks.segmentation.colours import overlaid
from glore_video.tasks.segmentation.inspection import cut_mask, first_view, score_of
from glore_video.tasks.segmentation.scene_inference import SceneInference
from glore_video.tasks.segmentation.segmented import Segmented

STD = (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def ready(scene_checkpoint):
    return load_predictor(weights=scene_checkpoint)


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    path = tmp_path_factory.mktemp("strassen bilder é") / "a street.png"
    Image.fromarray(scene(1, 40, 72).picture).save(path)
    return path


def test_the_mask_is_that_of_the_network_over_the_whole_picture(ready, street):
    seen = ready.predict(street)
    pixels = torch.from_numpy(np.asarray(Image.open(street)).copy()).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), STD))
    with torch.no_grad():
        expected = ready.network((pixels / 255 - mean) / std)[0].argmax(0)
    assert seen.mask.shape == (40, 72)
    assert (seen.mask == expected.numpy()).mean() > 0.999  # of equal scores the other may win
    counts = np.bincount(seen.mask.ravel(), minlength=19) / seen.mask.size
    assert seen.shares == pytest.approx(counts)
    top = seen.top(3)
    assert top == [(ready.class_names[n], counts[n]) for n in np.argsort(-counts)[: len(top)]]
    assert len(seen.top(19)) == (counts > 0).sum()


def test_options_of_the_test_apply(scene_checkpoint, street, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "TASK: segmentation\nMODEL: {ARCH: tiny2d, NUM_CLASSES: 19}\nGLORE: {AFTER: [backbone.stage1.1]}\n"
        "HEAD: {FORM: glore, CHANNELS: 16, NODES: 5}\n"
        "TEST: {SCALES: [0.5, 1.0], WINDOW: [24, 32], FLIP: true}\n"
    )
    ready = load_predictor(cfg=tmp_path / "a.yaml", weights=scene_checkpoint)
    assert ready.words == "windows of 24 x 32, scales 0.5, 1, mirror images"
    expected = ready.inference.probabilities(
        ready.forward, torch.from_numpy(np.asarray(Image.open(street)).copy())[None], 3
    )
    assert (ready.predict(street).mask == expected.argmax(0).numpy()).mean() > 0.999
    assert not ready.with_views(flips=False).inference.flip
    assert ready.with_views(num_crops=1) is ready
    with pytest.raises(UsageError, match="crops are views of networks that classify"):
        ready.with_views(num_crops=5)
    with pytest.raises(UsageError, match="clips are views of videos"):
        ready.with_views(num_clips=2)


def test_a_published_network_sees_pictures_scaled_by_their_shorter_side(street):
    with torch.random.fork_rng():
        ready = load_predictor(
            model="torchvision/segmentation/lraspp_mobilenet_v3_large", untrained=True
        )
    assert ready.class_names[:2] == ("background", "aeroplane")
    assert ready.words == "whole pictures, short side 520"
    (scaled,) = ready.inference.scaled(torch.zeros(1, 40, 72, 3, dtype=torch.uint8))
    assert scaled.shape == (1, 3, 520, 936)
    (line,) = ready.inference.scaled(torch.zeros(1, 1, 4000, 3, dtype=torch.uint8))
    assert line.shape == (1, 3, 520, 16 * 520)  # not gigabytes
    assert type(predictor_of(ready.network)) is type(ready)


def test_a_shorter_side_is_what_the_prediction_is_made_of(ready, street):
    inference = SceneInference(short_side=64)
    seen = replace(ready, inference=inference).predict(street)
    picture = torch.from_numpy(seen.picture)[None]
    expected = inference.probabilities(ready.forward, picture, 1).argmax(0).numpy()
    assert (seen.mask == expected).mean() > 0.999
    assert (seen.mask != ready.predict(street).mask).mean() > 0.01


def test_own_names_have_no_weights_of_their_own():
    with pytest.raises(
        UsageError, match="fcn_resnet50 has no published weights but its backbone's"
    ):
        load_predictor(model="fcn_resnet50")


def test_classes_by_their_names():
    assert classes_named(cityscapes_classes().names, "x").stored[:3] == (7, 8, 11)
    own = classes_named(("floor", "square"), "x")
    assert (own.stored, own.names) == ((0, 1), ("floor", "square"))
    assert SCENES.usual_names(21)[1] == "aeroplane"
    assert SCENES.usual_names(3) == ("class 0", "class 1", "class 2")


def test_pictures_of_all_kinds(ready, street, tmp_path):
    colour = Image.open(street)
    kinds = {
        "palette.png": colour.quantize(32),
        "alpha.png": colour.convert("RGBA"),
        "grey.png": colour.convert("L"),
        "deep.png": Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257),
        "one pixel.png": colour.crop((0, 0, 1, 1)),
        "line.png": colour.crop((0, 0, 72, 1)),
    }
    for name, picture in kinds.items():
        picture.save(tmp_path / name)
        seen = ready.predict(tmp_path / name)
        assert seen.mask.shape == (picture.height, picture.width)
        assert sum(seen.shares) == pytest.approx(1)
        ready.draw(seen, tmp_path / "drawn" / name)
        assert np.asarray(Image.open(tmp_path / "drawn" / f"{name[:-4]}.mask.png")).shape == (
            picture.height,
            picture.width,
        )


def test_pictures_that_can_not_be_read(ready, street, moving_video, tmp_path):
    (tmp_path / "cut.png").write_bytes(street.read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("none")
    for path, message in (
        (tmp_path / "cut.png", "cut"),
        (tmp_path / "text.jpg", "can't be opened as a picture"),
        (moving_video, "the network takes pictures"),
    ):
        with pytest.raises(PictureError, match=message):
            ready.predict(path)


def test_a_picture_with_too_many_pixels_is_not_decoded(scene_checkpoint, street, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "TASK: segmentation\nMODEL: {ARCH: tiny2d, NUM_CLASSES: 19}\nDATA: {MAX_PIXELS: 2879}\n"
    )
    small = load_predictor(cfg=tmp_path / "a.yaml", untrained=True)
    with pytest.raises(PictureError, match="more than max_pixels = 2,879 pixels"):
        small.predict(street)
    assert small.class_names == cityscapes_classes().names  # there are as many


def test_scores_that_are_not_finite(scene_checkpoint, street):
    ready = load_predictor(weights=scene_checkpoint)
    with torch.no_grad():
        ready.network.head.classifier.bias[3] = float("nan")
    with pytest.raises(NotFiniteError, match="scores are not finite"):
        ready.predict(street)


def test_drawn_is_the_picture_under_its_colours_and_the_numbers_of_masks(ready, street, tmp_path):
    seen = ready.predict(street)
    ready.draw(seen, tmp_path / "new" / "a.png")
    drawn = np.asarray(Image.open(tmp_path / "new" / "a.png"))
    number = seen.mask[20, 30]
    expected = 0.55 * np.array(seen.classes.colours[number]) + 0.45 * seen.picture[20, 30]
    assert np.abs(drawn[20, 30] - expected).max() <= 1
    stored = np.asarray(Image.open(tmp_path / "new" / "a.mask.png"))
    assert (stored == np.array(seen.classes.stored)[seen.mask]).all()
    for name in dict(seen.top(19)):  # the key beneath it has all of them
        colour = seen.classes.colours[ready.class_names.index(name)]
        assert (drawn[40:] == colour).all(-1).sum() > 100


def test_colours_over_a_picture():
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    mask = np.array([[0, 1, 255, 2, 1]] * 6, dtype=np.uint8)
    colours = np.array([[255, 0, 7], [0, 255, 0], [9, 9, 200]], dtype=np.uint8)
    drawn = overlaid(picture, mask, colours, share=0.3)
    expected = 0.3 * colours[np.minimum(mask, 2)] + 0.7 * picture
    assert np.abs(drawn - expected)[mask != 255].max() < 1.1  # of 256 steps
    assert (drawn[mask == 255] == picture[mask == 255]).all()
    assert (overlaid(picture, mask, colours, share=1.0)[:, 0] == colours[0]).all()


def test_keys_are_as_wide_as_their_pictures_or_names_need():
    classes = cityscapes_classes()
    key = np.asarray(draw_key(classes, range(19)))
    assert all((key == colour).all(-1).sum() > 100 for colour in classes.colours)
    picture = np.zeros((300, 500, 3), np.uint8)
    assert with_key(picture, classes, [0, 1], (0.5, 0.5, *[0.0] * 17)).width == 500
    narrow = with_key(picture[:, :1], classes, [6], [0.0] * 19)
    assert narrow.width > 60
    assert (np.asarray(narrow)[:300, 0] == 0).all()


def test_shares_in_order():
    seen = Segmented("a", classes_named(("a", "b", "c", "d"), "x"), (0.25, 0.5, 0.0, 0.25))
    assert seen.top() == [("b", 0.5), ("a", 0.25), ("d", 0.25)]
    assert seen.largest(2) == [1, 0]


def test_the_score_of_a_class_is_the_mean_logit_of_its_pixels():
    logits = torch.tensor([[[[3.0, 0.0, 5.0]], [[1.0, 2.0, 0.0]], [[0.0, 1.0, 4.0]]]])
    assert score_of(0)(logits).item() == 4.0
    assert score_of(1)({"out": logits, "aux": logits * 9}).item() == 2.0
    assert score_of(2)(logits).item() == pytest.approx(5 / 3)  # it wins nowhere


def test_a_look_is_of_a_classs_pixels_and_leaves_the_network_as_it_was(ready, street):
    look = ready.look(street, target=13)
    assert list(look.units) == ["backbone.stage1.1.glore", "head.glore"]
    assert look.probability == ready.predict(street).shares[13]
    inputs = ready.input(torch.from_numpy(look.view).permute(2, 0, 1))
    units = inspect_units(ready.network, inputs, target=score_of(13)).units
    for path, unit in look.units.items():
        torch.testing.assert_close(unit.importance, units[path].importance)
        assert unit.importance.abs().sum() > 0
        assert unit.maps.shape == units[path].maps.shape
    torch.testing.assert_close(look.cam, grad_cam(ready.network, inputs, target=score_of(13)))
    assert all(each.requires_grad and each.grad is None for each in ready.network.parameters())
    assert look.rectangle == (0, 0, 40, 72)
    assert look.view.shape == look.overlay.shape == (40, 72, 3)
    pictures = ready.pictures(look, "head.glore", [0, 3])
    assert list(pictures) == ["sheet", "adjacency", "graph"]
    assert list(ready.pictures(look, "", [])) == ["sheet"]
    by_itself = ready.look(street)
    assert by_itself.target == int(np.argmax(ready.predict(street).shares))
    with pytest.raises(UsageError, match=r"target must be a class in 0..18, got 19"):
        ready.look(street, target=19)


def test_of_windows_the_middle_one_is_looked_at():
    picture = torch.arange(20 * 40 * 3, dtype=torch.int64).remainder(251).to(torch.uint8)
    picture = picture.view(1, 20, 40, 3)
    windows = SceneInference(window=(10, 16), stride=0.5)
    view, rectangle = first_view(windows, picture)
    assert rectangle == (5, 16, 10, 16)  # rows 0, 5, 10; columns 0, 8, 16, 24
    assert torch.equal(view, picture[0, 5:15, 16:32].permute(2, 0, 1))
    view, rectangle = first_view(SceneInference(scales=(0.5, 1.0)), picture)
    assert (view.shape, rectangle) == ((3, 10, 20), (0, 0, 20, 40))
    mask = np.arange(20 * 40, dtype=np.int64).reshape(20, 40).astype(np.uint8)
    cut = cut_mask(mask, (5, 16, 10, 16), np.zeros((10, 16, 3)))
    assert (cut == mask[5:15, 16:32]).all()
