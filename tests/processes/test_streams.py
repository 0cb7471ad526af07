"""Commands whose standard streams are closed, lack letters, or are read no further."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glore_video.cli.guarding import guarded
from glore_video.processes import streams

ROOT = Path(__file__).parents[2]
TOOLS = sorted(path.name for path in (ROOT / "tools").glob("*.py"))


def started(*words, **options):
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, **options)


def without_reader(*words, **environment):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
    } | environment
    process = started(*words, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    return process.communicate()[1], process.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize(
    "words", [[tool, "--help"] for tool in TOOLS] + [["run_net.py", "--help-config"]], ids=" ".join
)
def test_a_reader_that_leaves_is_no_error(words):
    assert without_reader(f"tools/{words[0]}", *words[1:]) == (b"", streams.READER_GONE)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_leaves_an_unbuffered_stream():
    words = ("tools/run_net.py", "--help-config")
    assert without_reader(*words, PYTHONUNBUFFERED="1") == (b"", streams.READER_GONE)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_leaves_in_the_middle_of_the_work(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)

        def work():
            print("result", flush=True)
            raise AssertionError("unreachable")

        assert guarded(work) == streams.READER_GONE


def test_another_pipe_that_breaks_is_not_foreseen(capsys):
    def work():
        raise BrokenPipeError(32, "Broken pipe")

    assert guarded(work) == 1
    assert "BrokenPipeError" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors of POSIX")
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_lead_nowhere(tmp_path, closed):
    """And no file that is opened later takes their place."""
    code = """
import sys
from glore_video.processes.streams import as_command

def main():
    print("out")
    print("err", file=sys.stderr)
    with open(sys.argv[1], "w") as file:
        file.write(f"{file.fileno() > 2} {sys.stdout.encoding} {sys.stderr.isatty()}")
    return 5

sys.exit(as_command(main))
"""
    out = tmp_path / "said.txt"

    def close():
        for number in closed:
            os.close(number)

    process = started(
        "-c", code, str(out), preexec_fn=close, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert process.wait() == 5
    assert out.read_text().split()[0] == "True"


def test_letters_that_a_terminal_lacks():
    code = """
import sys
from glore_video.cli.terminal import table
from glore_video.processes.streams import as_command, json_line

def main():
    print(table([("café", 0.5)]))
    print(json_line({"name": "café"}))
    return 0

sys.exit(as_command(main))
"""
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=True,
    ).stdout.decode("ascii")
    assert said.splitlines() == [
        r"  caf\xe9   50.0%  ###############",
        r'{"name": "caf\u00e9"}',
    ]


def test_what_a_stream_takes():
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert streams.takes("café", latin)
    assert not streams.takes("█", latin)
    assert not streams.takes("é", None)
    assert not streams.is_terminal(None)
    latin.close()


def test_status_of_a_parser_passes():
    assert streams.as_command(lambda: sys.exit(2)) == 2
    assert streams.as_command(lambda: sys.exit()) == 0
