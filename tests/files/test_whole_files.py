import errno
import os

import pytest

from glore_video.errors import FileError
from glore_video.files.whole_files import replace_file, whole_file, whole_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_another_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    replace_file(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert names(tmp_path) == ["a.txt"]


def test_a_library_is_given_a_path_with_the_suffix(tmp_path):
    path = tmp_path / "a b.png"
    path.write_bytes(b"old")
    with whole_path(path, ".7") as temporary:
        assert (temporary.suffix, temporary.parent) == (".png", tmp_path)
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a b.png"]


@pytest.mark.parametrize("writer", [whole_file, whole_path])
def test_after_an_error_all_is_as_before(tmp_path, writer):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail(given):
        if writer is whole_path:
            given.write_bytes(b"half")
        raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"), writer(path) as given:
        fail(given)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("writer", [whole_file, whole_path])
def test_a_full_disk_names_the_file(tmp_path, writer):
    path = tmp_path / "a.txt"

    def fail():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FileError, match=r"a\.txt could not be written: No space"), writer(path):
        fail()
    assert names(tmp_path) == []
