"""docs/cluster.md and docs/slurm: the script on a Slurm that is played, and what the text names."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from glore_video.config import Config, flatten

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "slurm" / "train.sbatch"
TEXT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")

SRUN = """#!/bin/bash
# Two tasks on each of two nodes; the greatest status is srun's.
while [ "$1" != bash ]; do echo "$1" >> "$RECORD/srun options"; shift; done
greatest=0
for task in 0 1 2 3; do
    SLURM_PROCID=$task SLURM_LOCALID=$((task % 2)) "$@"
    status=$?
    [ $status -gt $greatest ] && greatest=$status
done
exit $greatest
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$RECORD/scontrol"
if [ "$1 $2" = "show hostnames" ]; then printf 'node-a\\nnode-b\\n'; fi
"""
PYTHON = """#!/bin/bash
for word in "$RANK" "$LOCAL_RANK" "$WORLD_SIZE" "$MASTER_ADDR" "$MASTER_PORT" "$@"; do
    printf '%s\\n' "$word" >> "$RECORD/task $RANK"
done
[ "$RANK" = 1 ] && exit "$STATUS"
exit 0
"""


@pytest.fixture
def slurm(tmp_path):
    """Runs the script with the words given; each task's python only notes what it gets."""
    record = tmp_path / "record"
    record.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("python", PYTHON)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(record),
        "SLURM_JOB_ID": "123456",
        "SLURM_JOB_NODELIST": "node-[a-b]",
        "SLURM_NTASKS": "4",
    }

    def run(*words, status=0):
        done = subprocess.run(
            ["bash", str(SCRIPT), *words], env=environment | {"STATUS": str(status)}, cwd=ROOT
        )
        return done.returncode, record

    return run


def test_every_task_is_told_its_rank(slurm):
    words = ["--cfg", "a b.yaml", "OUTPUT_DIR", "/é/$x", "NUM_GPUS", "1"]
    status, record = slurm(*words)
    assert status == 0
    for rank in range(4):
        command = ["-m", "glore_video", "train", *words]
        expected = [str(rank), str(rank % 2), "4", "node-a", "23456", *command]
        assert (record / f"task {rank}").read_text().splitlines() == expected
    assert "requeue" not in (record / "scontrol").read_text()


@pytest.mark.parametrize(
    ("status", "requeued"), [(138, True), (2, False), (137, False), (143, False)]
)
def test_only_a_run_that_was_stopped_in_time_goes_back_into_the_queue(slurm, status, requeued):
    returned, record = slurm("--cfg", "a.yaml", status=status)
    assert returned == status
    assert ("requeue 123456" in (record / "scontrol").read_text()) == requeued


def test_script_is_bash_that_parses():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)


def test_keys_and_files_are_there():
    keys = set(re.findall(r"\b[A-Z]+\.[A-Z_]+\b", TEXT)) | {"DIST_TIMEOUT", "LOG_PERIOD"}
    assert len(keys) >= 8
    assert keys <= {name for name, _ in flatten(Config())}
    for name in re.findall(r"(?:configs|tools|docs)/[\w/.]+\.\w+", TEXT + SCRIPT.read_text()):
        assert (ROOT / name).is_file(), name
