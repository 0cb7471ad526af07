"""The demonstration from an empty folder, on few samples: the three runs, then the table."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from glore_video.cli import compare, visualize
from glore_video.cli.demo import main
from glore_video.config import load_config

TOOL = Path(__file__).parents[1] / "tools" / "demo.py"


@pytest.mark.slow
def test_demo(tmp_path):
    pairs = "SYNTHETIC.NUM_TRAIN 64 SYNTHETIC.NUM_VAL 20 SOLVER.MAX_EPOCH 1 CPU_THREADS 1".split()
    done = subprocess.run(
        [sys.executable, str(TOOL), *pairs],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(table) == 5
    for name, line in zip(
        ["quickstart", "quickstart_same_plain", "quickstart_same_glore"], table[2:], strict=True
    ):
        summary = json.loads((tmp_path / "outputs" / name / "test" / "summary.json").read_text())
        assert summary["videos_scored"] == 20
        assert f"{summary['video_top1']:.1f}%" in line
        assert f"outputs/{name} " in line
    page, command = done.stdout.splitlines()[-2:]
    assert (tmp_path / page.strip()).is_file()
    shown = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.slow
def test_demo_of_pictures_with_two_seeds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pairs = (
        "SYNTHETIC.NUM_TRAIN 64 SYNTHETIC.NUM_VAL 20 SOLVER.MAX_EPOCH 1 CPU_THREADS 1 RNG_SEED 5"
    )
    assert main(["--pictures", "--seeds", "2", *pairs.split()]) == 0
    out = capsys.readouterr().out
    assert "run 6 of 6: are both striped the same way?" in out
    table = [line for line in out.splitlines() if line.startswith("|")]
    assert "| picture top-1 " in table[0]
    assert "| seeds 5 to 6 " in table[0]
    starts = set()
    for name, line in zip(
        ["quickstart_image", "quickstart_image_same_plain", "quickstart_image_same_glore"],
        table[2:],
        strict=True,
    ):
        found = []
        for seed in (5, 6):
            run = Path("outputs") / f"{name}_seed{seed}"
            summary = json.loads((run / "test" / "summary.json").read_text())
            assert summary["pictures_scored"] == 20
            found.append(summary["top1"])
            config = load_config(run / "config.yaml")
            assert config.RNG_SEED == seed
            starts.add(config.TRAIN.CHECKPOINT_FILE_PATH)
        assert f"| {found[0]:.1f}, {found[1]:.1f} " in line
        assert f"| {sum(found) / 2:.1f}% " in line
        assert f"outputs/{name}_seed* " in line
    first = "outputs/quickstart_image_seed"
    assert starts == {"", f"{first}5", f"{first}6"}
    page, comparison, look = out.splitlines()[-3:]
    assert visualize.main(shlex.split(look.partition(" visualize ")[2])) == 0
    assert "node" in capsys.readouterr().out
    assert Path(page.strip()).is_file()
    assert compare.main(shlex.split(comparison.partition(" compare ")[2])) == 0
    assert "20 pictures" in capsys.readouterr().out


@pytest.mark.slow
def test_demo_of_scenes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pairs = "SYNTHETIC.NUM_TRAIN 32 SYNTHETIC.NUM_VAL 8 SOLVER.MAX_EPOCH 1 CPU_THREADS 1"
    assert main(["--scenes", *pairs.split(), "SOLVER.WARMUP_EPOCHS", "0"]) == 0
    out = capsys.readouterr().out
    assert "run 3 of 3: which side is the road?" in out
    table = [line for line in out.splitlines() if line.startswith("|")]
    assert "| IoU of road and pavement " in table[0]
    for name, line in zip(("plain", "glore", "nonlocal"), table[2:], strict=True):
        run = Path("outputs") / f"quickstart_scene_{name}"
        ious = json.loads((run / "test" / "summary.json").read_text())["class_iou"]
        assert f"| {(ious['road'] + ious['pavement']) / 2:.1f}% (chance 33%) " in line
        assert f"outputs/quickstart_scene_{name} " in line
    page, look = out.splitlines()[-2:]
    assert Path(page.strip()).is_file()
    assert visualize.main(shlex.split(look.partition(" visualize ")[2])) == 0


def test_kinds_of_the_demonstration_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        main(["--scenes", "--pictures"])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["OUTPUT_DIR", "x"], "OUTPUT_DIR: each run of the demonstration has its own, under out"),
        (["TRAIN.CHECKPOINT_FILE_PATH", "x"], "TRAIN.CHECKPOINT_FILE_PATH: each run of the demo"),
        (["RNG_SEED", "x"], "RNG_SEED"),
        (["NO.SUCH", "1"], "the command line: unknown key NO.SUCH;"),
        (["--seeds", "2", "RNG_SEED"], "KEY VALUE pairs: 'RNG_SEED' has no value"),
    ],
)
def test_arguments_that_no_run_can_have(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())
