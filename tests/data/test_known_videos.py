"""What a manifest beside a list or class folders changes in a run's list, and what it does not."""

import os

import pytest

from glore_video.data.check_sources import list_samples
from glore_video.data.video.checking import check_videos
from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.manifest_place import manifest_of, use_line
from glore_video.data.video.manifest_writer import ManifestWriter
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS


def check(path):
    """In place of decoding: what a file says of itself, and an index."""
    with open(path, encoding="utf-8") as file:
        status = file.read().strip()
    found = {"status": status, "reason": "" if status == "ok" else f"is {status}", "frames": 5}
    return found, os.path.basename(path).encode()


def make(root, files):
    for name, status in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(status)


def checked(source, **more):
    manifest = manifest_of(source)
    listing = list_samples(VIDEOS, source, manifest, **more)
    return check_videos(listing, manifest, processes=1, seconds=30.0, check=check)


def names(videos, root):
    return [os.path.relpath(path, root) for path in videos.paths()]


FILES = {
    "train/ape/1.mp4": "ok",
    "train/ape/2.mp4": "damaged",
    "train/cat/3.mp4": "unreadable",
    "train/cat/4.mp4": "ok",
}


@pytest.fixture
def root(tmp_path):
    make(tmp_path, FILES)
    return tmp_path


@pytest.mark.parametrize("kind", ["folders", "list", "manifest", "prefix"])
def test_the_next_run_takes_what_a_check_found(root, kind):
    prefix = ""
    source = root / "train"
    if kind != "folders":
        source = root / "train.csv"
        names_labels = [(name, int("cat" in name)) for name in FILES]
        if kind == "prefix":
            prefix = str(root / "train")
            names_labels = [(os.path.relpath(n, "train"), label) for n, label in names_labels]
        source.write_text("".join(f"{name} {label}\n" for name, label in names_labels))
    if kind == "manifest":
        with ManifestWriter(source) as writer:
            writer.finish([])
        with ManifestWriter(source) as writer:
            rows = [ManifestRow(path=n, label=v, status="ok", frames=9) for n, v in names_labels]
            for row in rows:
                writer.add(row)
            writer.finish(rows)
    checked(source, prefix=prefix)
    videos = load_split(root, "train", num_classes=2, prefix=prefix)
    assert names(videos, root) == ["train/ape/1.mp4", "train/cat/4.mp4"]
    assert videos.labels.tolist() == [0, 1]
    assert sorted(videos.left_out) == [
        (str(root / "train/ape/2.mp4"), "is damaged"),
        (str(root / "train/cat/3.mp4"), "is unreadable"),
    ]
    some = load_split(root, "train", num_classes=2, prefix=prefix, use_damaged=True)
    assert names(some, root) == ["train/ape/1.mp4", "train/ape/2.mp4", "train/cat/4.mp4"]
    if kind == "manifest":
        assert not (root / "train.manifest.csv").exists()
    else:
        (note,) = videos.notes
        assert note == (
            f"{root / 'train.manifest.csv'}: taken for what it knows: of 4 videos of {source} 2 are "
            "left out as bad"
        )


def test_a_manifest_that_is_out_of_date_counts_for_what_has_not_changed(root):
    checked(root / "train")
    make(root, {"train/bee/5.mp4": "new", "train/cat/3.mp4": "mended"})
    (root / "train/cat/4.mp4").unlink()
    videos = load_split(root, "train", num_classes=3)
    assert names(videos, root) == ["train/ape/1.mp4", "train/bee/5.mp4", "train/cat/3.mp4"]
    assert videos.labels.tolist() == [0, 1, 2]
    assert [path for path, _ in videos.left_out] == [str(root / "train/ape/2.mp4")]
    (note,) = videos.notes
    assert note.endswith(
        "of 4 videos of {} 1 are left out as bad, 2 are new or changed, glore-video check-data has not "
        "seen them, 1 have another label there, which does not count".format(root / "train")
    )


def test_a_manifest_of_other_videos_is_not_used(root):
    checked(root / "train")
    (root / "train.csv").write_text("../x.mp4 1\ntrain/new.mp4 0\n")
    make(root, {"train/new.mp4": "ok"})
    videos = load_split(root, "train", num_classes=2)
    assert (len(videos), videos.left_out) == (2, ())
    (note,) = videos.notes
    assert "train.manifest.csv: not used, it knows none of the videos of" in note


def test_a_manifest_alone_is_the_list(root):
    checked(root / "train")
    os.rename(root / "train", root / "videos")
    text = (root / "train.manifest.csv").read_text().replace("train/", "videos/")
    (root / "train.manifest.csv").write_text(text)
    videos = load_split(root, "train", num_classes=2)
    assert names(videos, root) == ["videos/ape/1.mp4", "videos/cat/4.mp4"]
    assert videos.notes == ()


def test_all_videos_bad(root):
    for name in FILES:
        (root / name).write_text("unreadable")
    checked(root / "train")
    with pytest.raises(ValueError, match="train: none of its 4 videos can be read, for example"):
        load_split(root, "train", num_classes=2)


def test_where_manifests_go_and_what_takes_them(root, monkeypatch):
    monkeypatch.chdir(root / "train")
    assert manifest_of(root / "train.csv") == root / "train.manifest.csv"
    assert manifest_of(type(root)(".")) == root / "train.manifest.csv"
    (root / "a.b").mkdir()
    assert manifest_of(root / "a.b") == root / "a.b.manifest.csv"
    assert use_line(root / "val.manifest.csv", "/videos") == (
        f"the next run with DATA.PATH_TO_DATA_DIR {root} and DATA.PATH_PREFIX /videos takes it for val"
    )
    assert use_line(root / "test.csv").endswith("takes it for test")
    assert use_line(root / "a.b.manifest.csv").startswith("no run takes it under this name")
