import json
import os
from collections import Counter
from functools import partial

import av
import numpy as np
import pytest
import torch
from encoded_videos import rgb

from glore_video.data.relations import data_set, labels, videos
from glore_video.data.relations.scene import MIN_GAP
from glore_video.data.relations.video_rendering import (
    DIRECTIONS,
    STEPS,
    moving_object,
    render_video,
)
from glore_video.data.relations.videos import render_relations
from glore_video.models.networks.tiny import TinyResNet3d

SMALL = {"num_train": 6, "num_val": 4, "num_frames": 3, "progress": False}


class_names = partial(labels.class_names, kinds=DIRECTIONS)


def directions_and_label(labelling, index, rng):
    return labels.kinds_and_label(labelling, DIRECTIONS, index, rng)


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [rgb(frame) for frame in container.decode(stream)]
        return np.stack(frames), stream.codec_context.name, stream.average_rate


def sample(labelling, index):
    """Video `index` of a split with this labelling, without encoding."""
    directions, label = directions_and_label(labelling, index, np.random.default_rng([index, 7]))
    return render_video(directions, seed=[3, index], num_frames=4), label


def test_a_video_depends_on_seed_and_directions_alone():
    first = render_video(("left", "up"), seed=[0, 5])
    assert first.dtype == np.uint8
    assert first.shape == (12, 64, 64, 3)
    assert np.array_equal(first, render_video(("left", "up"), seed=[0, 5]))
    assert not np.array_equal(first, render_video(("left", "up"), seed=[0, 6]))
    assert not np.array_equal(first, render_video(("left", "down"), seed=[0, 5]))


def test_objects_move_the_way_the_direction_says():
    """Moving the picture back by one frame's way undoes most of the change in the cell."""
    back = {"left": (1, 1), "right": (1, -1), "up": (0, 1), "down": (0, -1)}
    for direction in DIRECTIONS:
        votes = Counter()
        for seed in range(12):
            video = render_video((direction, direction), seed=seed, num_frames=2).astype(float)
            error = {}
            for name, (axis, sign) in back.items():
                moved = np.roll(video[1], 2 * sign, axis=axis)
                error[name] = np.abs(moved - video[0])[video[0] != video[1]].mean()
            votes[min(error, key=error.get)] += 1
        assert votes[direction] >= 11


def test_nothing_but_the_directions_changes_with_the_directions():
    for seed in range(5):
        frames = [render_video((d, "left"), seed=seed)[0] for d in DIRECTIONS]
        for other in frames[1:]:
            assert np.array_equal(frames[0], other)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_position_is_uniform_over_the_cell_at_every_frame(direction):
    """The phase of each axis' first Fourier coefficient is the place on the circle."""
    rng = np.random.default_rng(0)
    alpha = np.stack(
        [moving_object(rng, STEPS[direction], 12, 20, np.full(3, 0.5))[1] for _ in range(400)]
    )  # (videos, frames, rows, columns)
    for kept, summed in (("rows", 3), ("columns", 2)):
        profile = alpha[:, [0, 5, 11]].sum(summed)
        coefficient = np.fft.fft(profile, axis=2)[:, :, 1]
        resultant = np.abs((coefficient / np.abs(coefficient)).mean(0))
        assert (resultant < 0.15).all(), kept


def test_only_the_cells_change_over_time():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        video = render_video(("left", "down"), seed=seed).astype(int)
        changed = (np.abs(np.diff(video, axis=0)).sum((0, 3))) > 0
        count = changed.any(0).sum() + changed.any(1).sum()
        assert changed.any()
        assert count <= 4 * 21, rng


def test_dataset_on_disk(tmp_path):
    root = render_relations(tmp_path / "a" / "relations", labels="same", **SMALL)
    assert root == tmp_path / "a" / "relations"
    assert sorted(p.name for p in root.iterdir()) == [
        "class_names.txt", "relations.json", "test.csv", "train", "train.csv", "val", "val.csv",
    ]  # fmt: skip
    assert (root / "class_names.txt").read_text() == "different\nsame\n"
    assert (root / "train.csv").read_text().splitlines() == [
        "train/different/000000.mp4 0",
        "train/same/000001.mp4 1",
        "train/different/000002.mp4 0",
        "train/same/000003.mp4 1",
        "train/different/000004.mp4 0",
        "train/same/000005.mp4 1",
    ]
    assert (root / "val.csv").read_text() == (root / "test.csv").read_text()
    assert (root / "val.csv").read_text().splitlines()[3] == "val/same/000003.mp4 1"
    frames, codec, rate = decode(root / "train/same/000001.mp4")
    assert frames.shape == (3, 64, 64, 3)
    assert codec == "h264"
    assert rate == 12
    assert [p.name for p in root.parent.iterdir()] == ["relations"]


def test_encoded_video_shows_the_rendered_one(tmp_path):
    root = render_relations(tmp_path / "r", labels="pair", seed=4, **SMALL)
    directions, _ = directions_and_label("pair", 2, np.random.default_rng([4, 1, 2, 1]))
    expected = render_video(directions, seed=[4, 1, 2], num_frames=3)
    frames, _, _ = decode(root / "val/left_up/000002.mp4")
    assert np.abs(frames.astype(int) - expected).mean() < 8
    other = render_video(directions, seed=[4, 1, 3], num_frames=3)
    assert np.abs(frames.astype(int) - other).mean() > 16


def test_splits_hold_different_videos(tmp_path):
    root = render_relations(tmp_path / "r", labels="same", **SMALL)
    train, _, _ = decode(root / "train/same/000001.mp4")
    val, _, _ = decode(root / "val/same/000001.mp4")
    assert np.abs(train.astype(int) - val).mean() > 8


def test_rendering_twice_gives_the_same_bytes(tmp_path):
    roots = [render_relations(tmp_path / n, labels="same", **SMALL) for n in "ab"]
    path = "val/different/000002.mp4"
    assert (roots[0] / path).read_bytes() == (roots[1] / path).read_bytes()


def test_complete_set_is_reused(tmp_path, monkeypatch):
    root = render_relations(tmp_path / "r", labels="same", **SMALL)
    monkeypatch.setattr(videos, "render_video", None)
    assert render_relations(root, labels="same", **SMALL) == root


def test_other_parameters_are_refused_by_name(tmp_path):
    root = render_relations(tmp_path / "r", labels="same", **SMALL)
    with pytest.raises(ValueError, match=r"/r holds .* num_val is 4, not 5; name another folder"):
        render_relations(root, labels="same", **{**SMALL, "num_val": 5})
    with pytest.raises(ValueError, match="labels is 'same', not 'pair'"):
        render_relations(root, labels="pair", **SMALL)


def test_missing_files_are_noticed(tmp_path):
    root = render_relations(tmp_path / "r", labels="same", **SMALL)
    (root / "train/same/000003.mp4").unlink()
    with pytest.raises(ValueError, match=r"incomplete .* such as train/same/000003.mp4"):
        render_relations(root, labels="same", **SMALL)


@pytest.mark.parametrize("metadata", [None, "", "[]", '{"dataset": "other"}'])
def test_foreign_folder_is_left_alone(tmp_path, metadata):
    (tmp_path / "mine.txt").write_text("precious")
    if metadata is not None:
        (tmp_path / "relations.json").write_text(metadata)
    with pytest.raises(ValueError, match="is no rendered dataset; there is mine.txt") as refused:
        render_relations(tmp_path, labels="same", **SMALL)
    assert "delete" not in str(refused.value)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_empty_folder_is_filled(tmp_path):
    render_relations(tmp_path, labels="same", **SMALL)
    assert json.loads((tmp_path / "relations.json").read_text())["num_train"] == 6


def test_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(data_set.shutil, "copyfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render_relations(tmp_path / "r", labels="same", **SMALL)
    assert list(tmp_path.iterdir()) == []
    render_relations(tmp_path / "r", labels="same", **SMALL)


def test_another_process_may_be_faster(tmp_path, monkeypatch):
    root = tmp_path / "r"
    copyfile = data_set.shutil.copyfile

    def meanwhile(*args):
        monkeypatch.setattr(data_set.shutil, "copyfile", copyfile)
        monkeypatch.setattr(os, "getpid", lambda: 0)
        render_relations(root, labels="same", **SMALL)
        return copyfile(*args)

    monkeypatch.setattr(data_set.shutil, "copyfile", meanwhile)
    assert render_relations(root, labels="same", **SMALL) == root
    assert list(tmp_path.iterdir()) == [root]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": "both"}, "labels is 'both', but must be 'pair' or 'same'"),
        ({"num_train": 0}, "num_train is 0, but must be at least 1"),
        ({"num_val": -1}, "num_val is -1"),
        ({"num_frames": 0}, "num_frames is 0, but must be at least 1"),
        ({"size": 46}, "size is 46, but must be even and at least 48"),
        ({"size": 65}, "size is 65"),
        ({"fps": 0}, "fps is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_parameters_outside_of_their_limits(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        render_relations(tmp_path / "r", **{"labels": "same", **SMALL, **wrong})
    assert not (tmp_path / "r").exists()


def test_unknown_direction():
    with pytest.raises(ValueError, match="direction 'north' is not one of left, right, up, down"):
        render_video(("left", "north"), seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("labelling", ["pair", "same"])
def test_a_classifier_of_single_frames_stays_at_chance(labelling):
    torch.manual_seed(0)
    videos, answers = zip(*(sample(labelling, i) for i in range(1800)), strict=True)
    frames = torch.from_numpy(np.stack([v[3] for v in videos])).permute(0, 3, 1, 2) / 255 - 0.5
    answers = torch.tensor(answers)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, stride=2), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2), torch.nn.BatchNorm2d(32), torch.nn.ReLU(),
        torch.nn.Conv2d(32, 32, 3, stride=2), torch.nn.BatchNorm2d(32), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(32 * 36, len(class_names(labelling))),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(3):
        for batch in torch.randperm(1200).split(40):
            loss = torch.nn.functional.cross_entropy(network(frames[batch]), answers[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        right = (network(frames[1200:]).argmax(1) == answers[1200:]).sum().item()
    chance = 600 / len(class_names(labelling))
    assert abs(right - chance) < 4 * (chance * (1 - chance / 600)) ** 0.5


def test_no_feature_of_the_plain_network_sees_both_objects():
    network = TinyResNet3d(2).eval()
    clip = torch.rand(1, 3, 1, 64, 64, requires_grad=True)
    features = network.stage2(network.stage1(network.stem(clip)))
    (gradient,) = torch.autograd.grad(features[0, :, 0, 8, 8].sum(), clip)
    rows, columns = gradient[0, :, 0].abs().sum(0).nonzero().T
    assert rows.max() - rows.min() + 1 < MIN_GAP
    assert columns.max() - columns.min() + 1 < MIN_GAP


def test_a_fault_of_the_code_stops_rendering_and_leaves_nothing(tmp_path, monkeypatch):
    real = videos.render_video

    def render(directions, *, seed, **options):
        if seed[2] == 3:
            raise TypeError("strange object")
        return real(directions, seed=seed, **options)

    monkeypatch.setattr(videos, "render_video", render)
    with pytest.raises(TypeError, match="strange object"):
        render_relations(tmp_path / "r", labels="same", num_train=300, num_val=2, num_frames=2)
    assert list(tmp_path.iterdir()) == []
