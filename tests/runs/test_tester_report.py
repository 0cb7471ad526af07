"""The page that a run writes, and that `glore-video report` writes again."""

import json

import pytest
import torch
from encoded_videos import encode, read_number

from glore_video.cli.main import main
from glore_video.cli.report import main as tool
from glore_video.config import load_config
from glore_video.models import save_weights
from glore_video.runs.network import build_model
from glore_video.video import VideoError, open_video, stills


@pytest.fixture
def words(options, videos, tmp_path):
    """Words of a test of random weights over four videos, one of which can't be read."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.mp4").touch()
    lines = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(4)]
    (data / "test.csv").write_text("".join([*lines, "empty.mp4 1\n"]))
    (data / "class_names.txt").write_text("dark\n<b>bright</b>\n")
    weights = tmp_path / "weights.pyth"
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": weights}
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TEST.NUM_ENSEMBLE_VIEWS": 4}
    pairs = [str(word) for pair in options.items() for word in pair]
    torch.manual_seed(0)
    save_weights(build_model(load_config(None, pairs)), weights)
    (tmp_path / "empty.yaml").write_text("")
    return ["--cfg", str(tmp_path / "empty.yaml"), *pairs]


def test_a_run_writes_the_page(words, options, capsys):
    assert main(words) == 0
    folder = options["OUTPUT_DIR"] / "test"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "predictions.csv",
        "report.html",
        "scores.npz",
        "summary.json",
    ]
    summary = json.loads((folder / "summary.json").read_text())
    counted = build_model(load_config(None, words[2:]))
    assert summary["parameters"] == sum(weight.numel() for weight in counted.parameters())
    assert 0 < summary["gmacs"] < 1
    low, high = summary["video_top1_interval"]
    assert low <= summary["video_top1"] <= high
    page = (folder / "report.html").read_text(encoding="utf-8")
    # Random weights: two of four are wrong, three frames of each.
    wrong = round(4 * (1 - summary["video_top1"] / 100))
    assert page.count('src="data:image/jpeg;base64,') == 3 * wrong > 0
    assert "<b>bright" not in page
    assert "&lt;b&gt;bright&lt;/b&gt;" in page
    assert "ARCH: tiny" in page
    assert "empty.mp4" in page
    (folder / "report.html").unlink()
    assert tool([str(options["OUTPUT_DIR"])]) == 0
    assert f"wrote {folder / 'report.html'}" in capsys.readouterr().out
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    assert tool([str(folder), "--no-pictures"]) == 0
    assert "image/jpeg" not in (folder / "report.html").read_text(encoding="utf-8")


def test_videos_that_can_not_be_read_again_fail_nothing(words, options, monkeypatch, capsys):
    def gone(path, **more):
        raise VideoError(path, "gone")

    monkeypatch.setattr(stills, "open_video", gone)
    assert main(words) == 0
    assert "no pictures of" in capsys.readouterr().err
    page = (options["OUTPUT_DIR"] / "test" / "report.html").read_text(encoding="utf-8")
    assert "no pictures" in page


def test_nothing_could_be_read(words, options, tmp_path):
    (tmp_path / "data" / "test.csv").write_text("empty.mp4 1\n")
    assert main(words) == 2
    page = (options["OUTPUT_DIR"] / "test" / "report.html").read_text(encoding="utf-8")
    assert "0 of 1 videos were scored" in page


def test_frames_are_spread_over_the_video(videos):
    frames = stills.sample_frames(str(videos / "clips" / "0.mp4"))
    with open_video(videos / "clips" / "0.mp4") as video:
        assert torch.equal(torch.from_numpy(frames), video.frames([1, 5, 8]))


def test_frames_of_a_variable_rate_are_spread_over_its_time(tmp_path):
    """30 frames in the first second, then three a second; 4.1 s: at 0.7, 2.05 and 3.4 s."""
    path = encode(tmp_path / "v.mp4", times=[*range(30), *range(30, 130, 10)])
    frames = stills.sample_frames(str(path))
    assert [read_number(frame) for frame in frames] == [20, 33, 37]


def test_tool_without_a_test(tmp_path, capsys):
    assert tool([str(tmp_path)]) == 2
    assert "holds no scores.npz or confusions.npz" in capsys.readouterr().err
