"""benchmarks/gpu.sh on a CPU, at tiny sizes; what it joins, and what it says of arguments and GPUs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from gpu_join import part_of, results_of_tests, states_of
from results_text import as_text
from run_rate import steady

ROOT = Path(__file__).parents[2]
NEEDS_BASH = pytest.mark.skipif(sys.platform != "linux", reason="a script of bash and GNU tools")


def script(*arguments, out, **environment):
    settings = {"OUT": str(out), "PYTHON": sys.executable}
    return subprocess.Popen(
        ["bash", str(ROOT / "benchmarks" / "gpu.sh"), *arguments],
        env={**os.environ, **settings, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@NEEDS_BASH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fast"], "error: --fast is no option; --device cuda, --device cpu and --quick are"),
        (["--device", "gpu"], "error: --device is 'gpu'; cpu or cuda is allowed"),
        (["--quick", "--device"], "error: --device is ''; cpu or cuda is allowed"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, tmp_path):
    process = script(*arguments, out=tmp_path)
    assert process.communicate()[0].splitlines() == [message]
    assert process.returncode == 2


@NEEDS_BASH
@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line(tmp_path):
    process = script(out=tmp_path / "out")
    (line,) = process.communicate()[0].splitlines()
    assert line.startswith("error: torch sees no GPU on this machine; --device cpu --quick")
    assert process.returncode == 2


@NEEDS_BASH
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_parts_work(tmp_path):
    process = script("--device", "cpu", "--quick", out=tmp_path)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert {part["ended"] for part in found["parts"]} == {"done"}
    results = found["results"]
    assert set(results) == {part["part"] for part in found["parts"]}
    assert results["unit"]["rows"]
    assert {row["network"] for row in results["network_training"]["rows"]} >= {"ours", "plain"}
    assert results["tests"]["failed"] == 0
    bare = next(row for row in results["loop"]["rows"] if row["side"] == "bare")
    run = results["run"]
    expected = run["clips_per_second"] / bare["clips_per_second"]
    assert run["of_bare_step"] == pytest.approx(expected, rel=0.01)
    assert len(list(tmp_path.iterdir())) <= 9


@NEEDS_BASH
@pytest.mark.slow
def test_packages_that_are_missing_and_a_signal(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pytest_timeout'] = None\n")
    out = tmp_path / "out"
    process = script("--device", "cpu", "--quick", out=out, PYTHONPATH=str(tmp_path))
    deadline = time.monotonic() + 500
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "gpu.log").is_file() and "== unit: " in (out / "gpu.log").read_text():
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[0]
    assert process.returncode == 143, said
    parts = json.loads((out / "gpu.json").read_text())["parts"]
    ended = {part["part"]: part["ended"] for part in parts}
    assert ended["tests"] == "left out, not installed: pytest_timeout"
    assert ended["unit"] == "stopped by a signal"
    assert list(ended)[-1] == "unit"


def test_states_of_parts():
    assert states_of("unit\t12\tdone\nrun\t0\tleft out, not installed: av\n") == [
        {"part": "unit", "seconds": 12, "ended": "done"},
        {"part": "run", "seconds": 0, "ended": "left out, not installed: av"},
    ]


XML = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_one"/>
<testcase classname="tests.a" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.a" name="test_three"><skipped/></testcase>
<testcase classname="tests.a" name="test_four"><error/></testcase>
</testsuite></testsuites>"""


def test_tests_are_counted(tmp_path):
    (tmp_path / "tests.xml").write_text(XML)
    states = [row["state"] for row in results_of_tests(tmp_path / "tests.xml")]
    assert states == ["passed", "failed", "skipped", "failed"]
    counts = json.loads(part_of(tmp_path, "tests"))
    assert (counts["passed"], counts["failed"], counts["skipped"]) == (1, 2, 1)
    assert [row["test"] for row in counts["rows"]] == ["tests.a.test_two", "tests.a.test_four"]
    assert part_of(tmp_path, "unit") is None


def test_numbers_in_a_file():
    text = as_text({"rate": 123456.789, "where": "here"}, [{"a": 1, "b": None, "c": 0.123456}, {}])
    assert json.loads(text) == {
        "rate": 123500.0,
        "where": "here",
        "rows": [{"a": 1, "c": 0.1235}, {}],
    }
    assert text.splitlines()[4] == '  {"a": 1, "c": 0.1235},'


def test_the_steady_rate_leaves_the_start_out():
    assert steady([1, 2, 3, 100, 90, 110, 100, 105, 95]) == 100
    assert steady([7.0]) == 7.0
