"""Whether a path is a file that can be read."""

import os

import pytest

from glore_video.files.regular_files import why_unreadable


def test_a_file_with_something_in_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a")
    assert why_unreadable(path) == ""
    (tmp_path / "link").symlink_to(path)
    assert why_unreadable(tmp_path / "link") == ""


def test_what_is_no_such_file(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert why_unreadable(tmp_path / "missing") == "no such file"
    assert why_unreadable(tmp_path / "nowhere") == "no such file"
    assert why_unreadable(tmp_path) == "is a folder, not a file"
    assert why_unreadable(tmp_path / "empty") == "the file is empty"
    assert why_unreadable("a\0b") == "embedded null byte"
    assert why_unreadable(tmp_path / "empty" / "a") == "Not a directory"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert why_unreadable(tmp_path / "pipe") == "is not a regular file"
