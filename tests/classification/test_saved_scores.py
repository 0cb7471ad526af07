"""scores.npz: the same bytes for the same scores, and nothing else is taken for it."""

import time

import numpy as np
import pytest

from glore_video.tasks.classification import SavedScores, ViewPlan, load_scores, save_scores


def scores(**changes):
    values = {
        "source": "x",
        "paths": ("ü b/1.mp4", "c.mp4"),
        "labels": np.array([1, 0]),
        "logits": np.arange(2 * 6 * 3, dtype=np.float32).reshape(2, 6, 3),
        "class_names": ("dark", "<bright>", "ünïcode"),
        "plan": ViewPlan(clips=2, crops=3, spacing="ends", short_side=32),
    }
    return SavedScores(**(values | changes))


def test_round_trip(tmp_path):
    folder = tmp_path / "öut put" / "test"
    folder.mkdir(parents=True)
    save_scores(folder / "scores.npz", scores())
    for path in (folder / "scores.npz", folder, folder.parent):
        loaded = load_scores(path)
        assert loaded.paths == scores().paths
        assert loaded.class_names == scores().class_names
        assert loaded.plan == scores().plan
        np.testing.assert_array_equal(loaded.logits, scores().logits)
        np.testing.assert_array_equal(loaded.labels, [1, 0])
    assert [path.name for path in folder.iterdir()] == ["scores.npz"]
    with np.load(folder / "scores.npz") as arrays:
        assert arrays["clip_of_view"].tolist() == [0, 0, 0, 1, 1, 1]
        assert arrays["crop_of_view"].tolist() == [0, 1, 2, 0, 1, 2]


def test_same_bytes_later(tmp_path, monkeypatch):
    save_scores(tmp_path / "a.npz", scores())
    noon = time.localtime(2_000_000_000)
    monkeypatch.setattr(time, "localtime", lambda *now: noon)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    save_scores(tmp_path / "b.npz", scores())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_failed_write_leaves_the_old_file(tmp_path):
    save_scores(tmp_path / "scores.npz", scores())
    before = (tmp_path / "scores.npz").read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        save_scores(tmp_path / "scores.npz", scores(labels=np.array([object(), 1])))
    assert (tmp_path / "scores.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]


def test_older_files_do_not_say_the_spacing(tmp_path):
    np.savez(
        tmp_path / "scores.npz",
        paths=np.array(["a"]),
        labels=np.array([0]),
        logits=np.zeros((1, 2, 2), np.float32),
        clip_of_view=np.array([0, 1]),
        crop_of_view=np.array([0, 0]),
        class_names=np.array(["x", "y"]),
    )
    assert load_scores(tmp_path).plan == ViewPlan(clips=2, crops=1)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no scores.npz and no test/scores.npz"):
        load_scores(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing.npz: no such file or folder"):
        load_scores(tmp_path / "nothing.npz")


@pytest.mark.parametrize(
    "content", [b"", b"no zip", "cut", "other", "pickle", "array"], ids=lambda c: str(c) or "none"
)
def test_other_files(tmp_path, content):
    path = tmp_path / "scores.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cut":
        save_scores(path, scores())
        path.write_bytes(path.read_bytes()[:-200])
    elif content == "other":
        np.savez(path, a=np.zeros(3))
    elif content == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        np.savez(path, paths=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="scores.npz: "):
        load_scores(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.array([1, 3])}, "labels from 1 to 3, but 3 classes"),
        ({"labels": np.array([1, -1])}, "labels from -1 to 1, but 3 classes"),
        ({"labels": np.array([1])}, r"\(1,\) labels of int64, 2 videos"),
        ({"labels": np.array([0.5, 1])}, "labels of float64"),
        ({"class_names": ("a", "b")}, "2 videos, 6 views and 2 classes"),
        ({"paths": ("a",)}, "1 videos, 6 views and 3 classes"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, changes, message):
    save_scores(tmp_path / "scores.npz", scores(**changes))
    with pytest.raises(ValueError, match=message):
        load_scores(tmp_path)
