import pytest

from glore_video.files.whole_folders import whole_folder


def test_a_folder_appears_at_the_end(tmp_path):
    path = tmp_path / "deep" / "new é"
    with whole_folder(path) as partial:
        partial.mkdir()
        (partial / "a").write_text("a")
        assert not path.exists()
    assert [each.name for each in path.parent.iterdir()] == ["new é"]
    assert (path / "a").read_text() == "a"


def test_an_empty_folder_gives_its_place(tmp_path):
    (tmp_path / "new").mkdir()
    with whole_folder(tmp_path / "new") as partial:
        partial.mkdir()
        (partial / "a").touch()
    assert (tmp_path / "new" / "a").exists()


def test_nothing_is_left_after_an_error(tmp_path):
    def stopped():
        with whole_folder(tmp_path / "new") as partial:
            partial.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("same", [True, False])
def test_another_may_have_been_faster(tmp_path, same):
    (tmp_path / "new").mkdir()

    def write():
        with whole_folder(tmp_path / "new", is_there=lambda: same) as partial:
            partial.mkdir()
            (tmp_path / "new" / "theirs").touch()

    if same:
        write()
    else:
        with pytest.raises(OSError, match="new"):
            write()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
