"""The command as it is called: output and exit status."""

import re

import pytest
import torch

from glore_video.cli import terminal
from glore_video.cli.complexity import main
from glore_video.config import load_config
from glore_video.tasks import task_of


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(
        "MODEL: {ARCH: tiny, NUM_CLASSES: 5}\n"
        "DATA: {NUM_FRAMES: 4, TEST_CROP_SIZE: 32, TRAIN_CROP_SIZE: 32, "
        "TRAIN_JITTER_SCALES: [32, 32]}\n"
        "TRAIN: {BATCH_SIZE: 8}\nTEST: {NUM_ENSEMBLE_VIEWS: 2, NUM_SPATIAL_CROPS: 3}\n"
        "GLORE: {LOCATION: [[[0]]], NODES: 2, STATES: 4}\n"
    )
    return path


def test_a_config(cfg, capsys):
    assert main(["--cfg", str(cfg)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "small: 3 x 4 x 32 x 32, 6 views"
    assert out[-1].startswith("not counted, elementwise: add")
    assert any(line.startswith("of this in units") for line in out)
    assert out[-2].startswith("a step of 8 clips a GPU in fp32: ")
    assert out[-2].endswith(" in all; workspaces come on top")


def test_a_config_whose_norms_split_their_batch(cfg, capsys):
    cfg.write_text(cfg.read_text() + "BN: {NORM_TYPE: sub_batchnorm, NUM_SPLITS: 4}\n")
    assert main(["--cfg", str(cfg)]) == 0
    assert "\na step of 8 clips a GPU in fp32: " in capsys.readouterr().out


def test_a_config_of_pictures_and_one_of_scenes(tmp_path, capsys):
    picture, scene = tmp_path / "picture.yaml", tmp_path / "scene.yaml"
    picture.write_text(
        "TASK: image_classification\nMODEL: {ARCH: tiny2d, NUM_CLASSES: 5}\n"
        "DATA: {TRAIN_CROP_SIZE: 32, TEST_CROP_SIZE: 64}\nTEST: {NUM_SPATIAL_CROPS: 5}\n"
    )
    scene.write_text(
        "TASK: segmentation\nMODEL: {NAME: timm/resnet18, NUM_CLASSES: 0}\n"
        "DATA: {TRAIN_CROP_SIZE: 64, TRAIN_CROP_HEIGHT: 32}\nTRAIN: {MIXED_PRECISION: True}\n"
    )
    assert main(["--cfg", str(picture), "--cfg", str(scene)]) == 0
    of_picture, of_scene = capsys.readouterr().out.split("\n\n")
    assert of_picture.startswith("picture: 3 x 64 x 64, 5 views\n")
    assert "of each input of 3 x 32 x 32 in training" in of_picture
    assert of_scene.startswith("scene: 3 x 32 x 64, 1 view\n")
    assert re.search(r"^Res3 \(backbone.layer2\) ", of_scene, re.MULTILINE)
    # Logits of 19 classes in float32, and the targets.
    assert re.search(rf"^loss .* {(19 * 4 + 8) * 32 * 64 / 1e6:.2f}$", of_scene, re.MULTILINE)
    assert " pictures a GPU in bf16: " in of_scene
    assert main(["--cfg", str(picture), "--frames", "4"]) == 2
    assert "--frames 4: --cfg " in capsys.readouterr().err


def test_weights_of_classes_are_those_of_each_pass(tmp_path, capsys):
    scene = tmp_path / "scene.yaml"
    scene.write_text(
        "TASK: segmentation\nMODEL: {NAME: timm/resnet18, NUM_CLASSES: 2}\nNUM_GPUS: 0\n"
        "DATA: {TRAIN_CROP_SIZE: 64, TRAIN_CROP_HEIGHT: 32}\nLOSS: {CLASS_WEIGHTS: [1.0, 2.0]}\n"
    )
    for _ in range(2):
        assert main(["--cfg", str(scene)]) == 0
        assert "pictures a process in fp32: " in capsys.readouterr().out
    objective = task_of(load_config(str(scene))).objective
    targets = torch.zeros(1, 32, 64, dtype=torch.int64)
    assert objective.weight(targets) == 32 * 64  # numbers again, and no shapes


def test_several_as_a_table(cfg, capsys):
    model = ["--model", "preact_r50_8x8", "--frames", "2", "--crop", "32"]
    assert main([*model, "--cfg", str(cfg), "--markdown"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in out[2:4]] == ["| preact_r50_8x8", "| small"]
    assert "| 2 x 32² | 27.99 |" in out[2]
    assert "x 6 |" in out[3]


def test_a_table_shows_how_far_it_is(cfg, capsys, monkeypatch):
    shown = []

    class Bar(terminal.Bar):
        def __call__(self, done, total):
            shown.append((done, total))

    monkeypatch.setattr(terminal, "Bar", Bar)
    assert main(["--cfg", str(cfg), "--cfg", str(cfg), "--markdown"]) == 0
    assert shown == [(0, 2), (1, 2), (2, 2)]
    assert capsys.readouterr().err == ""  # no terminal, no bar


def test_errors_are_one_line(capsys):
    assert main(["--model", "preact_r51"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: --model preact_r51: no network of the zoo; did you mean preact_r"
    )
    assert main(["--model", "slowfast_r50", "--frames", "6"]) == 2
    assert (
        "--frames 6, --crop 256: a SlowFast clip needs a multiple of 4" in capsys.readouterr().err
    )
    assert main(["--cfg", "nowhere.yaml"]) == 2
    assert "nowhere.yaml: no such configuration file" in capsys.readouterr().err


def test_a_network_of_another_package_with_units(capsys):
    """ResNet-18's published 1.81 GMACs and 11.69 M parameters, and a unit's own arithmetic."""
    model = ["--model", "torchvision/resnet18"]
    assert main(model) == 0
    plain = capsys.readouterr().out
    assert plain.startswith("torchvision/resnet18: 3 x 224 x 224, 1 view\n")
    assert re.search(r"^one view +1\.8\d+ +\d+\.\d+ +11\.690( +\d+\.\d\d){2}$", plain, re.MULTILINE)
    assert main([*model, "--glore-after", "layer3.*", "--markdown"]) == 0
    row = capsys.readouterr().out.splitlines()[2]
    # Two units of 256 channels, 64 nodes, 128 states: five layers' weights, biases and the norm.
    weights = 2 * 256 * 128 + 256 * 64 + 128 * 128 + 64 * 64
    parameters = 2 * (weights + 128 + 64 + 64 + 2 * 256)
    assert row.startswith(f"| torchvision/resnet18 | 224² | {(11689512 + parameters) / 1e6:.2f} |")


def test_units_by_count(capsys):
    assert main(["--model", "torchvision/resnet18", "--glore", "1,1", "--crop", "64"]) == 0
    counted = capsys.readouterr().out
    after = ["--glore-after", "layer2.0", "--glore-after", "layer3.0"]
    assert main(["--model", "torchvision/resnet18", *after, "--crop", "64"]) == 0
    assert counted == capsys.readouterr().out


def test_blocks_that_a_unit_can_stand_after(capsys):
    assert main(["--model", "torchvision/resnet18", "--list-blocks", "--crop", "64"]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "torchvision/resnet18: 3 x 64 x 64",
        "layer1.0     64 channels, 16 x 16",
        "layer1.1     64 channels, 16 x 16",
        "layer2.0    128 channels, 8 x 8",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--list-blocks"], "--glore-after and --list-blocks need --model NAME"),
        (["--model", "torchvision/resnet1"], "nearest: torchvision/resnet18"),
        (["--model", "torchvision/resnet18", "--frames", "8"], "--frames 8: torchvision/resnet18"),
        (["--glore", "0,3"], "--glore, --glore-after and --list-blocks need --model NAME"),
        (["--model", "torchvision/resnet18", "--glore", "3"], "on Res4, as 0,3; got '3'"),
        (["--model", "torchvision/resnet18", "--glore", "0,-3"], "on Res4, as 0,3; got '0,-3'"),
        (["--model", "torchvision/resnet18", "--glore", "0,1,3"], "on Res4, as 0,3; got '0,1,3'"),
        (
            ["--model", "torchvision/resnet18", "--glore", "0,1", "--glore-after", "layer3.*"],
            "--glore and --glore-after exclude each other",
        ),
        (
            ["--model", "torchvision/resnet18", "--glore", "0,3"],
            "--model torchvision/resnet18, --glore 0,3: 3 units on Res4 of a ResNet, which has 2",
        ),
        (
            ["--model", "torchvision/resnet18", "--glore-after", "layer9"],
            "--model torchvision/resnet18, --glore-after layer9: the network has no block 'layer9'",
        ),
    ],
    ids=[
        *("no network", "misspelt", "frames of pictures", "units of no network", "one number"),
        *("negative", "three numbers", "two ways", "too many units", "no such block"),
    ],
)
def test_what_does_not_fit_is_one_line(capsys, words, said):
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert said in capsys.readouterr().err
