"""benchmarks/compile_time.py: two starts a form, a row each."""

import compile_time
import pytest


@pytest.mark.slow
def test_rows(monkeypatch, capsys):
    monkeypatch.setattr(compile_time, "FORMS", ("", "units"))
    words = ["--shape", "3", "4", "32", "32", "--backend", "eager", "--batch", "2"]
    compile_time.main(words)
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert title == "glore_r50_8x8, 2 x [3, 4, 32, 32], eager"
    assert head.split("  ")[0] == "MODEL.COMPILE"
    off, units = ([row.split()[0], *map(float, row.split()[1:])] for row in rows)
    assert (off[0], units[0]) == ("off", "units")
    assert units[1] > off[1] > 0
