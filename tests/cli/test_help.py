"""Commands answer at once when they only have to speak: help and wrong arguments load no torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_python import fresh_python

from glore_video import __version__
from glore_video.cli.main import VERBS

ROOT = Path(__file__).parents[2]
TOOLS = {path.name: [str(path)] for path in sorted((ROOT / "tools").glob("*.py"))}
COMMANDS = {
    **TOOLS,
    "glore-video": ["glore_video.cli.main"],
    "python -m glore_video": ["glore_video"],
    **{f"glore-video {verb}": ["glore_video.cli.main", verb] for verb in VERBS},
}
# None of it is needed to read a configuration, which takes pydantic and YAML.
HEAVY = {"PIL", "av", "decord", "fvcore", "numpy", "pytorchvideo", "torch", "torchvision"}

# Runs a script or module, and says at the end what is imported.
RUN = """
import atexit, runpy, sys
atexit.register(lambda: print("imported", *sys.modules, file=sys.stderr))
del sys.argv[0]
if sys.argv:
    by = runpy.run_path if sys.argv[0].endswith(".py") else runpy.run_module
    by(sys.argv[0], run_name="__main__")
"""


def run(*words):
    """The process that has ended, its stderr, and the first names of the modules that it imported."""
    done = fresh_python().run(RUN, *words, cwd=ROOT)
    err, _, names = done.stderr.rpartition("imported ")
    return done, err.strip(), {name.partition(".")[0] for name in names.split()}


@pytest.fixture(scope="module")
def always():
    """What every process may import; Python may load modules of its environment at the start."""
    return run()[2] | set(sys.stdlib_module_names) | {"glore_video", "__mp_main__"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_light(command, always):
    done, _, imported = run(*COMMANDS[command], "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert imported - always == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_flags_are_light(command, always):
    done, err, imported = run(*COMMANDS[command], "--no-such-flag")
    assert done.returncode == 2
    assert err.startswith("error: ")
    assert "error: " in err.splitlines()[-1]
    assert imported - always == set()


@pytest.mark.parametrize("command", ["run_net.py", "glore-video"])
def test_keys_of_the_configuration_are_light(command):
    done, _, imported = run(*COMMANDS[command], "--help-config")
    assert done.returncode == 0
    assert "DATA.NUM_FRAMES " in done.stdout
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize("command", ["run_net.py", "benchmark_loader.py"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["configs/quickstrat.yaml"], "; did you mean configs/quickstart.yaml?"),
        (
            ["configs/quickstart.yaml", "TRAIN.BATCHSIZE", "1"],
            "unknown key TRAIN.BATCHSIZE; did you mean",
        ),
        (["configs/quickstart.yaml", "TRAIN.BATCH_SIZE", "0"], "error: TRAIN.BATCH_SIZE = 0: "),
    ],
    ids=["file", "key", "value"],
)
def test_errors_of_the_configuration_are_light(command, words, message):
    done, err, imported = run(*COMMANDS[command], "--cfg", *words)
    assert done.returncode == 2
    assert message in err
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("run_net.py", "run_net.py"),
        ("python -m glore_video", "python -m glore_video"),
        ("predict.py", "predict.py"),
        ("glore-video serve", "glore-video serve"),
        ("glore-video check-data", "glore-video check-data"),
    ],
)
def test_usage_says_the_name_that_was_called(command, name):
    words = COMMANDS[command]
    words = words if words[0].endswith(".py") else ["-m", *words]
    done = subprocess.run(
        [sys.executable, *words, "--help"], capture_output=True, encoding="utf-8", cwd=ROOT
    )
    assert done.stdout.startswith(f"usage: {name} [")


@pytest.mark.parametrize("command", ["glore-video", "python -m glore_video"])
@pytest.mark.parametrize(("words", "status"), [([], 2), (["-h"], 0)], ids=["alone", "-h"])
def test_commands_are_listed(command, words, status, always):
    done, _, imported = run(*COMMANDS[command], *words)
    assert done.returncode == status
    assert done.stdout.startswith("usage: glore-video [-h] ")
    listed = re.findall(r"^  (\S+) {2,}(\S.*)$", done.stdout, flags=re.MULTILINE)
    assert dict(listed) == VERBS
    assert imported - always == set()


def test_every_module_with_a_parser_is_a_command():
    modules = (ROOT / "glore_video" / "cli").glob("*.py")
    found = {path.stem for path in modules if "\ndef parser(" in path.read_text(encoding="utf-8")}
    assert found == {verb.replace("-", "_") for verb in VERBS}


def test_every_command_has_a_script():
    verbs = {re.search(r"command\(\"(.*)\"\)", (ROOT / "tools" / n).read_text()) for n in TOOLS}
    assert {found[1] for found in verbs if found} == VERBS.keys() - {"train", "test", "serve"}


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["predcit", "a.mp4", "--weights", "w"], "predict"),
        (["compare-runs", "a", "b"], "compare"),
        (["check_data", "a"], "check-data"),
        (["tset", "--cfg", "a.yaml"], "test"),
        (["zzz"], ""),
    ],
    ids=["predcit", "compare-runs", "check_data", "tset", "zzz"],
)
def test_misspelt_commands_get_the_nearest(words, nearest, always):
    done, err, imported = run(*COMMANDS["glore-video"], *words)
    assert done.returncode == 2
    assert err.startswith(f"error: {words[0]}: no such command; ")
    hint = f"did you mean {nearest}?" if nearest else "It has train, test, predict,"
    assert hint in err
    assert len(err.splitlines()) == 1
    assert imported - always == set()


def test_version(always):
    done, _, imported = run(*COMMANDS["glore-video"], "--version")
    assert (done.returncode, done.stdout) == (0, f"glore-video {__version__}\n")
    assert imported - always == set()


def test_configurations_are_listed():
    done, _, imported = run(*COMMANDS["glore-video train"], "--list-configs")
    names = [line.split()[0] for line in done.stdout.splitlines()]
    files = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
    assert names == [name for name in files if not name.endswith("_base")]
    assert imported.isdisjoint(HEAVY)


def test_wrong_device_is_light(always):
    done, err, imported = run(*TOOLS["predict.py"], "a.mp4", "--device", "gpu")
    assert done.returncode == 2
    assert "argument --device: 'gpu' is no device; cpu, cuda or cuda:0 is" in err
    assert imported - always == set()
