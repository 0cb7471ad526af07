"""`glore-video export` as it is called."""

import re
from pathlib import Path

import pytest
import torch

from glore_video.cli.export import main

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
