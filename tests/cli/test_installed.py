"""The wheel, installed without the checkout: every command, from an empty folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_python import FreshPython

from glore_video import __version__
from glore_video.cli.main import VERBS

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
TINY = (
    "NUM_GPUS 0 CPU_THREADS 1 SYNTHETIC.NUM_TRAIN 32 SYNTHETIC.NUM_VAL 8 SOLVER.MAX_EPOCH 1 "
    "TRAIN.BATCH_SIZE 16 OUTPUT_DIR run"
).split()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package in it, as pip leaves it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("glore_video", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    wheels = tmp_path_factory.mktemp("wheels")
    subprocess.run([sys.executable, "-c", BUILD, wheels], cwd=source, check=True)
    (wheel,) = wheels.iterdir()
    assert wheel.name.startswith(f"glore_video-{__version__}-py3-none-any")
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("an empty folder")


@pytest.fixture
def run(site, elsewhere):
    """Runs Python in the empty folder, where the checkout is not on the path; returns its stdout."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def command(run, site):
    return lambda *words: run(str(site / "bin" / "glore-video"), *words)


@pytest.mark.slow
def test_it_is_the_installed_one(run, site, command):
    assert run("-c", "import glore_video; print(glore_video.__file__)").startswith(str(site))
    assert command("--version") == f"glore-video {__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_help(command, run, verb):
    assert command(verb, "--help").startswith(f"usage: glore-video {verb} [-h]")
    as_module = run("-m", "glore_video", verb, "--help")
    assert as_module.startswith(f"usage: python -m glore_video {verb} [-h]")


@pytest.mark.slow
def test_every_configuration_is_there(command):
    listed = [line.split()[0] for line in command("train", "--list-configs").splitlines()]
    files = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
    assert listed == [name for name in files if not name.endswith("_base")]


@pytest.fixture
def started(site, elsewhere):
    """As `command`, but forked from a process that has imported what is not the package's own."""
    run_it = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    with FreshPython("torch", "torchvision", PYTHONPATH=str(site)) as python:
        where = python.run("import glore_video; print(glore_video.__file__)", cwd=elsewhere)
        assert where.stdout.startswith(str(site)), where.stderr

        def started(*words):
            done = python.run(run_it, site / "bin" / "glore-video", *words, cwd=elsewhere)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield started


@pytest.mark.slow
def test_commands_one_after_the_other(started, elsewhere):
    assert "parameters:" in started("train", "--cfg", "k400_glore_r50.yaml", "--dry-run")
    started("train", "--cfg", "quickstart", *TINY)  # trains and tests
    summary = elsewhere / "run" / "test" / "summary.json"
    summary.unlink()
    started("test", "--cfg", "quickstart", *TINY, "TEST.NUM_ENSEMBLE_VIEWS", "2")
    assert summary.is_file()
    video = sorted((elsewhere / "data" / "relations_pair").rglob("*.mp4"))[0]
    on_cpu = ("--weights", "run", "--device", "cpu")
    assert str(video) in started("predict", str(video), *on_cpu)
    assert "Grad-CAM is drawn" in started("visualize", str(video), *on_cpu, "--no-film")
    assert "same top-1" in started("export", "--weights", "run", "--format", "pt2")
    assert "8 videos, 1 test" in started("ensemble", "run")
    assert "wrote compared" in started("compare", "run", "run", "--out", "compared")
    assert "report.html" in started("report", "run")
    assert "quickstart" in started("complexity", "--cfg", "quickstart")
    checked = started("check-data", "data/relations_pair/val.csv", "--processes", "1")
    assert "fine " in checked
    speeds = started("benchmark-loader", "--cfg", "quickstart", *TINY, "--workers", "0")
    assert "clips/s" in speeds


@pytest.mark.slow
def test_without_a_command_as_ever(run, elsewhere):
    pairs = [*TINY, "SYNTHETIC.NUM_TRAIN", "16"]
    said = run("-m", "glore_video", "--cfg", "quickstart_same_glore", "--dry-run", *pairs)
    assert "parameters:" in said
