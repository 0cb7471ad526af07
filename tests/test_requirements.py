"""What is installed: honest ranges in setup.cfg, one lock for every Python, the Python that was asked for."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    return [Requirement(line) for text in lists for line in text.strip().splitlines()]


def locked(python):
    """Name -> version, on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
    }
    versions = {}
    for line in (ROOT / "requirements" / "locked.txt").read_text(encoding="utf-8").splitlines():
        if not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                (exact,) = requirement.specifier
                assert exact.operator == "=="
                assert requirement.name not in versions
                versions[requirement.name] = Version(exact.version)
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_holds_what_setup_cfg_asks_for(python):
    versions = locked(python)
    for requirement in setup_cfg():
        name = re.sub("[-_.]+", "-", requirement.name.lower())
        assert requirement.specifier.contains(versions[name]), requirement


@pytest.mark.parametrize("requirement", setup_cfg(), ids=lambda requirement: requirement.name)
def test_ranges_have_two_ends(requirement):
    operators = {each.operator for each in requirement.specifier}
    assert operators == {">=", "<"} or requirement.name.startswith("types-")


def test_every_python_is_named():
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    named = re.findall(r"Programming Language :: Python :: (3\.\d+)", text)
    assert named == PYTHONS


def test_a_python_that_is_missing_is_an_error_and_never_another_one(tmp_path):
    script = ROOT / "requirements" / "environment.sh"
    done = subprocess.run(
        ["bash", script, tmp_path / "env", "lowest", "dev", "python3.99"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("environment.sh: python3.99 is not on this machine")
    assert not (tmp_path / "env").exists()
