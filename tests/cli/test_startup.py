"""The line before torch is imported: on a terminal, once, and not for those who need no torch."""

import importlib
import io
import sys

import pytest

from glore_video.cli.startup import say_when_imported

MODULE = "slow_to_import_7c1f"


class Stream(io.StringIO):
    def __init__(self, *, terminal):
        super().__init__()
        self._terminal = terminal

    def isatty(self):
        return self._terminal


@pytest.fixture
def slow_module(tmp_path, monkeypatch):
    (tmp_path / f"{MODULE}.py").write_text("import sys\nheard = sys.stderr.getvalue()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield MODULE
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize(
    ("terminal", "rank", "heard"),
    [(True, None, "loading\n"), (True, "0", "loading\n"), (True, "1", ""), (False, None, "")],
    ids=["terminal", "first rank", "other rank", "file"],
)
def test_the_line_comes_before_the_import(slow_module, monkeypatch, terminal, rank, heard):
    if rank is None:
        monkeypatch.delenv("RANK", raising=False)
    else:
        monkeypatch.setenv("RANK", rank)
    stream = Stream(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    say_when_imported(slow_module, "loading")
    assert stream.getvalue() == ""
    assert importlib.import_module(slow_module).heard == heard
    importlib.reload(sys.modules[slow_module])
    assert stream.getvalue() == heard


def test_nothing_is_said_of_what_is_there_or_without_stderr(monkeypatch):
    finders = list(sys.meta_path)
    monkeypatch.setattr(sys, "stderr", Stream(terminal=True))
    say_when_imported("sys", "loading")
    monkeypatch.setattr(sys, "stderr", None)
    say_when_imported(MODULE, "loading")
    assert sys.meta_path == finders
