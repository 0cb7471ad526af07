"""Rendered street scenes: the lamp alone says which ground is the road, from where no local view reaches."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glore_video.data.masks.layouts import find_layout
from glore_video.data.relations import streets
from glore_video.data.relations.pictures import render_relation_pictures
from glore_video.data.relations.street_rendering import (
    AMBER,
    BACKGROUND,
    BLUE,
    CLASSES,
    LAMPS,
    MIN_REACH,
    PAVEMENT,
    ROAD,
    render_street,
)
from glore_video.data.relations.streets import render_streets
from glore_video.models import build_segmentation

SMALL = {"num_train": 8, "num_val": 4, "size": 48, "progress": False}
SEEDS = range(40)


def both_lamps(seed, *, crossed_left=True, size=48):
    return [render_street(lamp, crossed_left=crossed_left, seed=seed, size=size) for lamp in LAMPS]


def test_a_scene_depends_on_its_arguments_alone():
    picture, mask = render_street("amber", crossed_left=True, seed=[0, 5])
    assert (picture.dtype, picture.shape) == (np.uint8, (64, 64, 3))
    assert (mask.dtype, mask.shape) == (np.uint8, (64, 64))
    again = render_street("amber", crossed_left=True, seed=[0, 5])
    assert np.array_equal(picture, again[0])
    assert np.array_equal(mask, again[1])
    assert not np.array_equal(picture, render_street("amber", crossed_left=True, seed=[0, 6])[0])
    assert set(np.unique(mask)) == {BACKGROUND, AMBER, ROAD, PAVEMENT}


@pytest.mark.parametrize("size", [48, 64, 96])
def test_another_lamp_changes_every_label_of_the_ground_and_no_pixel_of_it(size):
    """So that nothing but the lamp can tell, not the textures, their places, or how large they are."""
    for seed in SEEDS:
        (amber, first), (blue, second) = both_lamps(seed, size=size)
        ground = first >= ROAD
        assert np.array_equal(ground, second >= ROAD)
        assert np.array_equal(first[ground] == ROAD, second[ground] == PAVEMENT)
        assert np.array_equal(amber[ground], blue[ground])
        differs = (amber != blue).any(-1)
        assert differs[first == AMBER].all()
        assert np.array_equal(first == AMBER, second == BLUE)
        rows = differs.any(1).nonzero()[0]
        assert ground.any(1).nonzero()[0].min() - rows.max() >= MIN_REACH


def test_under_amber_the_road_is_what_is_striped_across():
    for seed in SEEDS:
        for left in (True, False):
            picture, mask = render_street("amber", crossed_left=left, seed=seed)
            grey = picture.astype(int).sum(-1)
            down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
            across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
            for label, steeper in ((ROAD, down > across), (PAVEMENT, across > down)):
                assert steeper[mask == label].mean() > 0.6
            columns = [np.nonzero(mask == label)[1].mean() for label in (ROAD, PAVEMENT)]
            assert (columns[0] < columns[1]) == left


def test_of_four_in_a_row_each_case_is_one(tmp_path):
    root = render_streets(tmp_path / "é b" / "s", seed=4, **SMALL)
    cases = []
    for number in range(4):
        with Image.open(root / "masks/train" / f"{number:06d}.png") as file:
            mask = np.asarray(file)
        road, pavement = (np.nonzero(mask == label)[1].mean() for label in (ROAD, PAVEMENT))
        lamps = [label for label in (AMBER, BLUE) if (mask == label).any()]
        cases.append((*lamps, bool(road < pavement)))
    assert sorted(cases) == [(AMBER, False), (AMBER, True), (BLUE, False), (BLUE, True)]


def test_streets_on_disk(tmp_path, monkeypatch):
    root = render_streets(tmp_path / "s", seed=4, **SMALL)
    assert sorted(path.name for path in root.iterdir()) == [
        *("class_names.txt", "images", "masks", "relations.json"),
    ]
    layout = find_layout(root)
    assert (layout.splits(), layout.classes().names) == (("train", "val"), CLASSES)
    assert [len(layout.load(split)) for split in ("train", "val")] == [8, 4]
    pair = render_street("blue", crossed_left=True, seed=(4, 1, 3), size=48)
    for what, values in zip(("images", "masks"), pair, strict=True):
        with Image.open(root / what / "val/000003.png") as file:
            assert np.array_equal(np.asarray(file), values)
    told = json.loads((root / "relations.json").read_text())
    assert (told["dataset"], told["seed"], told["size"]) == ("streets", 4, 48)
    monkeypatch.setattr(streets, "render_street", None)  # what is there is reused
    assert render_streets(root, seed=4, **SMALL) == root
    with pytest.raises(ValueError, match="seed is 4, not 5; name another folder"):
        render_streets(root, seed=5, **SMALL)
    with pytest.raises(ValueError, match="dataset is 'streets', not 'relation pictures'"):
        render_relation_pictures(root, labels="same", progress=False)
    (root / "masks/val/000001.png").unlink()
    with pytest.raises(
        ValueError, match=r"1 of 25 files are missing, such as masks/val/000001.png"
    ):
        render_streets(root, seed=4, **SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_train": 0}, "num_train is 0, but must be at least 1"),
        ({"size": 46}, "size is 46, but must be even and at least 48"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_parameters_outside_of_their_limits(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        render_streets(tmp_path / "s", **{**SMALL, **wrong})
    assert not (tmp_path / "s").exists()


def test_an_unknown_lamp():
    with pytest.raises(ValueError, match="lamp 'red' is not one of amber, blue"):
        render_street("red", crossed_left=True, seed=0)


def test_no_score_of_the_plain_network_sees_the_lamp():
    model = build_segmentation("tiny2d", num_classes=5, form="fcn", channels=32).double().eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):  # so that nothing cancels, and no ReLU is shut
            nn.init.constant_(layer.weight, 0.01)
    reaches = []
    for row in range(28, 36):  # each place in the pattern of strides
        picture = torch.rand(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(model(picture)[0, :, row, row].sum(), picture)
        seen = gradient[0].abs().sum((0, 2)).nonzero().flatten()
        reaches.append(row - int(seen.min()))
    assert max(reaches) == 20 < MIN_REACH
