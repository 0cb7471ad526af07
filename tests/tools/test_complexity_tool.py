"""The script as it is called: output and exit status."""

import importlib.util
from pathlib import Path

import pytest

from glore_video.prediction import terminal

TOOL = Path(__file__).parents[2] / "tools" / "complexity.py"


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("complexity_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(
        "MODEL: {ARCH: tiny, NUM_CLASSES: 5}\n"
        "DATA: {NUM_FRAMES: 4, TEST_CROP_SIZE: 32, TRAIN_CROP_SIZE: 32, "
        "TRAIN_JITTER_SCALES: [32, 32]}\n"
        "TEST: {NUM_ENSEMBLE_VIEWS: 2, NUM_SPATIAL_CROPS: 3}\n"
        "GLORE: {LOCATION: [[[0]]], NODES: 2, STATES: 4}\n"
    )
    return path


def test_a_config(main, cfg, capsys):
    assert main(["--cfg", str(cfg)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "small: 3 x 4 x 32 x 32, 6 views"
    assert out[-1].startswith("not counted, elementwise: add")
    assert any(line.startswith("of this in units") for line in out)


def test_several_as_a_table(main, cfg, capsys):
    model = ["--model", "preact_r50_8x8", "--frames", "2", "--crop", "32"]
    assert main([*model, "--cfg", str(cfg), "--markdown"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in out[2:4]] == ["| preact_r50_8x8", "| small"]
    assert "| 2 x 32² | 27.99 |" in out[2]
    assert "x 6 |" in out[3]


def test_a_table_shows_how_far_it_is(main, cfg, capsys, monkeypatch):
    shown = []

    class Bar(terminal.Bar):
        def __call__(self, done, total):
            shown.append((done, total))

    monkeypatch.setattr(terminal, "Bar", Bar)
    assert main(["--cfg", str(cfg), "--cfg", str(cfg), "--markdown"]) == 0
    assert shown == [(0, 2), (1, 2), (2, 2)]
    assert capsys.readouterr().err == ""  # no terminal, no bar


def test_errors_are_one_line(main, capsys):
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
