"""The demonstration on scenes: what is rendered, what the three runs share, what is said of them."""

import re

import numpy as np
import pytest
import torch
from run_files import flat, one_error_line, weights_of

from glore_video.cli.main import main
from glore_video.config import flatten, load_config
from glore_video.config.shipped import shipped_folder
from glore_video.data.relations.street_rendering import LAMPS, ROAD, render_street
from glore_video.errors import UsageError
from glore_video.runs.network import build_model
from glore_video.runs.settling import settled
from glore_video.tasks import task_of
from glore_video.tasks.segmentation.saved_confusions import load_confusions

PLAIN, GLORE, NONLOCAL = NAMES = (
    "quickstart_scene_plain",
    "quickstart_scene_glore",
    "quickstart_scene_nonlocal",
)
SMALL = {
    "SYNTHETIC.NUM_TRAIN": 8,
    "SYNTHETIC.NUM_VAL": 4,
    "TRAIN.BATCH_SIZE": 4,
    "SOLVER.MAX_EPOCH": 1,
    "SOLVER.WARMUP_EPOCHS": 0,
    "TENSORBOARD.ENABLE": False,
    "DATA_LOADER.NUM_WORKERS": 0,
    "CPU_THREADS": 1,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_it_would_be_what_its_head_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--cfg", name, "--dry-run"]) == 0
    out = capsys.readouterr().out
    head = (shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    model = build_model(settled(load_config(name)))
    millions = sum(each.numel() for each in model.parameters()) / 1e6
    assert f"{millions:.3f} M parameters" in re.sub(r"\n# ", " ", head)
    (gmacs,) = re.findall(r"([\d.]+) GMACs a picture", head)
    (found,) = re.findall(r"training picture: 48 x 48, ([\d.]+) GMACs", out)
    assert float(found) == pytest.approx(float(gmacs), abs=0.006)
    assert "1600 pictures, 100 steps of 16 pictures" in out
    assert not list(tmp_path.iterdir())


def test_they_differ_in_nothing_but_the_head():
    keys = [dict(flatten(load_config(name))) for name in NAMES]
    differing = {key for key in keys[0] if len({str(each[key]) for each in keys}) > 1}
    assert differing == {"HEAD.FORM", "HEAD.NODES", "HEAD.STATES", "OUTPUT_DIR"}


def test_they_start_as_the_same_function():
    outputs, shared = [], []
    pictures = torch.randn(2, 3, 48, 48)
    for name in NAMES:
        torch.manual_seed(3)
        model = build_model(settled(load_config(name)))
        shared.append(model.state_dict())
        outputs.append(model.train()(pictures))
    for state, output in zip(shared[1:], outputs[1:], strict=True):
        assert all(torch.equal(state[key], value) for key, value in shared[0].items())
        torch.testing.assert_close(output, outputs[0])
    assert len(shared[1]) > len(shared[0])


@pytest.mark.parametrize(("name", "sees"), [(PLAIN, False), (GLORE, True), (NONLOCAL, True)])
def test_what_is_said_of_the_ground_depends_on_the_lamp_only_with_a_unit(name, sees):
    """Whatever has been learnt: these are random weights in every layer."""
    torch.manual_seed(0)
    model = build_model(settled(load_config(name))).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for number in range(8):
        pictures, ground = [], None
        for lamp in LAMPS:
            picture, mask = render_street(lamp, crossed_left=True, seed=number, size=48)
            pictures.append(torch.from_numpy(picture).permute(2, 0, 1).double() / 255)
            ground = torch.from_numpy(mask >= ROAD)
        with torch.no_grad():
            amber, blue = model(torch.stack(pictures))[:, :, ground]  # (classes, pixels) each
        assert (float((amber - blue).abs().max()) > 1e-9) == sees


def test_it_renders_trains_and_tests(tmp_path):
    data, out = tmp_path / "made é", tmp_path / "out"
    words = flat(SMALL | {"DATA.PATH_TO_DATA_DIR": data, "OUTPUT_DIR": out})
    assert main(["train", "--cfg", GLORE, *words]) == 0
    assert len(list((data / "masks" / "train").iterdir())) == 8
    assert "head.glore.conv_state.weight" in weights_of(out, 1)
    assert (out / "test" / "report.html").is_file()


@pytest.mark.slow
def test_two_processes_train_and_test_as_one(tmp_path):
    """Without batch norm's statistics of a share; over 4 steps the order of float32 sums differs."""
    weights, seen = [], []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        more = {"DATA.PATH_TO_DATA_DIR": tmp_path / "data", "OUTPUT_DIR": out}
        more |= {"SYNTHETIC.NUM_TRAIN": 16, "SYNTHETIC.NUM_VAL": 5, "MODEL.FROZEN_BN": True}
        # AdamW divides gradients by their size, however small both are.
        more |= {"SOLVER.OPTIMIZING_METHOD": "sgd", "CPU_PROCESSES": processes}
        assert main(["train", "--cfg", GLORE, *flat(SMALL | more)]) == 0
        weights.append(weights_of(out, 1))
        seen.append(load_confusions(out))
    for key, one in weights[0].items():
        torch.testing.assert_close(one, weights[1][key], rtol=1e-4, atol=1e-5, msg=key)
    assert seen[0].paths == seen[1].paths
    assert len(seen[0].paths) == 5
    pixels = seen[0].matrices.sum()
    assert np.abs(seen[0].matrices - seen[1].matrices).sum() <= 0.001 * pixels  # near ties


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        ("segmentation", "same", "SYNTHETIC.LABELS = same: TASK = segmentation renders lamp"),
        ("image_classification", "lamp", "TASK = image_classification renders pair or same"),
        ("video_classification", "lamp", "TASK = video_classification renders pair or same"),
    ],
)
def test_labels_of_another_task(task, labels, message):
    words = {"TASK": task, "SYNTHETIC.LABELS": labels, "DATA.RANDOM_FLIP": False}
    arch = {"video_classification": "tiny"}.get(task, "tiny2d")
    with pytest.raises(UsageError, match=message):
        task_of(load_config(None, flat(words | {"MODEL.ARCH": arch}))).check_keys()


def test_what_else_is_in_the_folder_is_told_in_keys(tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "cat.jpg").write_bytes(b"precious")
    words = flat(SMALL | {"DATA.PATH_TO_DATA_DIR": mine, "OUTPUT_DIR": tmp_path / "out"})
    assert main(["train", "--cfg", PLAIN, *words]) == 2
    line = one_error_line(capsys)
    assert "is no rendered dataset; there is cat.jpg in it" in line
    assert "SYNTHETIC.LABELS none; images/<split> beside masks/<split>" in line
    assert (mine / "cat.jpg").read_bytes() == b"precious"
