"""tools/demo.py from an empty folder, on few videos: the three runs, then the table."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

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
