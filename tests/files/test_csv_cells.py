"""Texts that spreadsheets would run as formulas."""

import pytest

from glore_video.files.csv_cells import original, protected


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+2", "'=1+2"),
        ("+1", "'+1"),
        ("-_aB3.mp4", "'-_aB3.mp4"),
        ("@sum(a1)", "'@sum(a1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("'=1", "''=1"),
        ("''-", "'''-"),
        ("'quoted'", "'quoted'"),
        ("a=1", "a=1"),
        ("", ""),
        ("'", "'"),
        ("é -1", "é -1"),
    ],
    ids=ascii,
)
def test_texts_are_protected_and_come_back(text, cell):
    assert protected(text) == cell
    assert original(cell) == text
