"""`glore-video export` as it is called."""

import re
from pathlib import Path

import pytest
import torch

from glore_video.cli.export import main
from glore_video.models.deployment.export import load_exported
from glore_video.prediction import load_predictor

ROOT = Path(__file__).parents[2]


def test_program_of_a_config_is_checked_on_frames(tmp_path, capsys):
    path = tmp_path / "a.pt2"
    cfg = str(ROOT / "configs" / "quickstart.yaml")
    assert main(["--cfg", cfg, "--format", "pt2", "--output", str(path)]) == 0
    out = capsys.readouterr().out
    difference = float(re.search(r"relative difference of the logits (\S+),", out)[1])
    assert difference < 1e-5
    assert re.search(r"ms a clip: network \d+\.\d, file \d+\.\d", out)
    assert torch.export.load(path) is not None


def test_a_file_that_differs_is_refused(tmp_path, capsys):
    cfg = str(ROOT / "configs" / "quickstart.yaml")
    arguments = ["--cfg", cfg, "--format", "pt2", "--output", str(tmp_path / "a.pt2")]
    assert main([*arguments, "--tolerance", "1e-30"]) == 2
    assert "would differ from the network by more: not written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_aoti_by_its_default_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = str(ROOT / "configs" / "quickstart.yaml")
    assert main(["--cfg", cfg, "--format", "aoti"]) == 0  # a channels-last network, one clip
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["network.pt2"]
    assert "same top-1: yes" in capsys.readouterr().out


def test_unknown_network_is_one_line(capsys):
    assert main(["--model", "glore_r51"]) == 2
    assert (
        "--model glore_r51: no network of the zoo; did you mean glore_r50_8x8?"
        in capsys.readouterr().err
    )


def test_a_network_for_pictures(picture_checkpoint, a_picture, moving_video, tmp_path, capsys):
    path = tmp_path / "a.pt2"
    common = ["--weights", str(picture_checkpoint), "--format", "pt2", "--output", str(path)]
    assert main([*common, "--picture", str(a_picture), "--crop", "48"]) == 0
    out = capsys.readouterr().out
    assert "pictures (1, 3, 48, 48)" in out
    assert "same top-1: yes" in out
    assert "ms a picture" in out
    exported = torch.export.load(path).module()
    assert exported(torch.zeros(3, 3, 48, 48)).shape == (3, 2)
    for arguments, message in (
        (
            ["--frames", "4"],
            "--frames 4: frames are those of clips, and the network takes pictures",
        ),
        (["--picture", str(moving_video)], "can't be opened as a picture"),
        (["--picture", "nowhere.jpg"], "nowhere.jpg: no such file"),
    ):
        assert main([*common, *arguments]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("format", ["pt2", "onnx"])
def test_a_network_that_segments(format, scene_checkpoint, a_picture, tmp_path, capsys):
    for package in ("onnx", "onnxscript", "onnxruntime") if format == "onnx" else ():
        pytest.importorskip(package)
    path = tmp_path / f"a.{format}"
    common = ["--weights", str(scene_checkpoint), "--format", format, "--output", str(path)]
    assert main([*common, "--picture", str(a_picture), "--crop", "40x56"]) == 0
    out = capsys.readouterr().out
    assert "pictures (1, 3, 40, 56)" in out
    assert float(re.search(r"same top-1: (\S+)% of the pixels", out)[1]) > 99
    network = load_predictor(weights=scene_checkpoint).network
    pictures = torch.randn(3, 3, 40, 56)
    with torch.no_grad():
        expected = network(pictures)
    got = load_exported(path, format=format)(pictures)
    assert got.shape == (3, 19, 40, 56)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())
    if format == "pt2":
        assert main(common) == 0  # in the size of training crops
        assert "pictures (1, 3, 32, 48)" in capsys.readouterr().out


@pytest.mark.slow
def test_of_a_mapping_of_outputs_the_main_one_is_exported(tmp_path, capsys):
    path = tmp_path / "a.pt2"
    name = ["--model", "torchvision/segmentation/lraspp_mobilenet_v3_large"]
    assert main([*name, "--format", "pt2", "--output", str(path), "--crop", "64"]) == 0
    assert "same top-1: " in capsys.readouterr().out
    assert load_exported(path, format="pt2")(torch.zeros(2, 3, 64, 64)).shape == (2, 21, 64, 64)


def test_clips_are_squares(tmp_path, capsys):
    cfg = str(ROOT / "configs" / "quickstart.yaml")
    path = str(tmp_path / "a.pt2")
    assert main(["--cfg", cfg, "--crop", "32x64", "--format", "pt2", "--output", path]) == 2
    message = "--crop 32x64: clips are squares of their frames, not 32 x 64"
    assert message in capsys.readouterr().err
