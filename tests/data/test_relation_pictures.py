"""Rendered pictures of two striped objects."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from glore_video.data.relations import pictures
from glore_video.data.relations.labels import kinds_and_label
from glore_video.data.relations.picture_rendering import (
    ANGLES,
    STRIPES,
    render_picture,
    striped_object,
)
from glore_video.data.relations.pictures import render_relation_pictures
from glore_video.data.relations.scene import MIN_GAP
from glore_video.data.relations.videos import render_relations
from glore_video.models.networks.tiny import TinyResNet2d

SMALL = {"num_train": 6, "num_val": 4, "progress": False}


def test_a_picture_depends_on_seed_and_stripes_alone():
    first = render_picture(("rising", "vertical"), seed=[0, 5])
    assert first.dtype == np.uint8
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, render_picture(("rising", "vertical"), seed=[0, 5]))
    assert not np.array_equal(first, render_picture(("rising", "vertical"), seed=[0, 6]))
    assert not np.array_equal(first, render_picture(("rising", "falling"), seed=[0, 5]))
    assert render_picture(("rising", "vertical"), seed=0, size=96).shape == (96, 96, 3)


def test_stripes_run_the_way_their_name_says():
    """Along its stripes a picture changes least: (rows, columns) to the next pixel."""
    along = {"horizontal": (0, 1), "vertical": (1, 0), "rising": (-1, 1), "falling": (1, 1)}
    for kind in STRIPES:
        votes = Counter()
        for seed in range(12):
            rng = np.random.default_rng(seed)
            colour, alpha = striped_object(rng, ANGLES[kind], 20, np.full(3, 0.5, np.float32))
            inside = alpha == 1
            change = {}
            for name, step in along.items():
                both = inside & np.roll(inside, step, (0, 1))
                change[name] = np.abs(colour - np.roll(colour, step, (0, 1)))[both].mean()
            votes[min(change, key=change.get)] += 1
        assert votes[kind] == 12


def test_nothing_but_the_stripes_changes_with_their_direction():
    """Not the background, not the outlines, not the mean colour."""
    difference = []
    for seed in range(60):
        drawn = np.stack([render_picture((a, "rising"), seed=seed) for a in STRIPES]).astype(int)
        changes = (drawn != drawn[:1]).any((0, 3))
        rows, columns = changes.nonzero()
        assert 0 < max(np.ptp(rows), np.ptp(columns)) < 21, "one cell of two"
        difference.append((drawn - drawn.mean(0)).sum((1, 2, 3)) / changes.sum() / 3)
    mean = np.mean(difference, axis=0)
    spread = np.std(difference, axis=0) / np.sqrt(len(difference))
    assert (np.abs(mean) < 4 * spread).all(), "of grey levels, over the object"


def test_objects_lie_whole_within_their_cells():
    rng = np.random.default_rng(0)
    for cell in (16, 20, 30):
        for _ in range(200):
            _, alpha = striped_object(rng, 0.0, cell, np.full(3, 0.5, np.float32))
            border = np.concatenate([alpha[[0, -1]].ravel(), alpha[:, [0, -1]].ravel()])
            assert alpha.max() == 1
            assert border.max() < 1
            assert alpha.sum() > 0.2 * cell**2


def test_pictures_on_disk(tmp_path):
    root = render_relation_pictures(tmp_path / "é b" / "r", labels="same", seed=4, **SMALL)
    assert sorted(p.name for p in root.iterdir()) == [
        "class_names.txt", "relations.json", "test.csv", "train", "train.csv", "val", "val.csv",
    ]  # fmt: skip
    assert (root / "class_names.txt").read_text() == "different\nsame\n"
    assert (root / "val.csv").read_text() == (root / "test.csv").read_text()
    assert (root / "val.csv").read_text().splitlines() == [
        "val/different/000000.png 0",
        "val/same/000001.png 1",
        "val/different/000002.png 0",
        "val/same/000003.png 1",
    ]
    kinds, _ = kinds_and_label("same", STRIPES, 2, np.random.default_rng([4, 1, 2, 1]))
    with Image.open(root / "val/different/000002.png") as picture:
        assert np.array_equal(np.asarray(picture), render_picture(kinds, seed=[4, 1, 2]))
    told = json.loads((root / "relations.json").read_text())
    assert (told["dataset"], told["seed"], told["size"]) == ("relation pictures", 4, 64)
    assert "num_frames" not in told


def test_the_same_parameters_give_the_same_bytes_and_are_reused(tmp_path, monkeypatch):
    roots = [render_relation_pictures(tmp_path / n, labels="pair", **SMALL) for n in "ab"]
    path = "train/horizontal_vertical/000001.png"
    assert (roots[0] / path).read_bytes() == (roots[1] / path).read_bytes()
    monkeypatch.setattr(pictures, "render_picture", None)
    assert render_relation_pictures(tmp_path / "a", labels="pair", **SMALL) == roots[0]


def test_videos_and_pictures_are_not_taken_for_each_other(tmp_path):
    render_relation_pictures(tmp_path / "p", labels="same", **SMALL)
    told = r"dataset is 'relation pictures', not 'relations'; name another folder$"
    with pytest.raises(ValueError, match=told):
        render_relations(tmp_path / "p", labels="same", **SMALL)
    render_relations(tmp_path / "v", labels="same", num_frames=1, **SMALL)
    with pytest.raises(ValueError, match=r"dataset is 'relations', not 'relation pictures';"):
        render_relation_pictures(tmp_path / "v", labels="same", **SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": "both"}, "labels is 'both', but must be 'pair' or 'same'"),
        ({"num_train": 0}, "num_train is 0, but must be at least 1"),
        ({"num_val": -1}, "num_val is -1"),
        ({"size": 46}, "size is 46, but must be even and at least 48"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_parameters_outside_of_their_limits(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        render_relation_pictures(tmp_path / "r", **{"labels": "same", **SMALL, **wrong})
    assert not (tmp_path / "r").exists()


def test_unknown_stripes():
    with pytest.raises(ValueError, match="'left' are not one of horizontal, vertical, rising, fa"):
        render_picture(("rising", "left"), seed=0)


def test_no_feature_of_the_plain_network_sees_both_objects():
    network = TinyResNet2d(2).eval()
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    features = network.stage2(network.stage1(network.stem(picture)))
    (gradient,) = torch.autograd.grad(features[0, :, 8, 8].sum(), picture)
    rows, columns = gradient[0].abs().sum(0).nonzero().T
    assert rows.max() - rows.min() + 1 < MIN_GAP
    assert columns.max() - columns.min() + 1 < MIN_GAP
